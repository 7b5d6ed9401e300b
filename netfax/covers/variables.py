"""The variables of a cover, `{$NAME}`: what each is, and what an example page shows for it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """A variable's name, what it stands for, and an example; both in English and Chinese."""

    name: str
    en: str
    zh: str
    example_en: str
    example_zh: str

    def text(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


_TEXT_EN = (
    "Dear Ms Chen,\n\nPlease find our offer on the pages behind this one. Prices hold until the end of next month; "
    "delivery takes ten working days from your order.\n\nWith kind regards"
)
_TEXT_ZH = (
    "陈女士：\n\n您好！报价单附后，价格有效期至下月底，订货后十个工作日内交货。如有疑问，请随时来电联系。\n\n此致\n敬礼"
)

VARIABLES: Mapping[str, Variable] = {
    each.name: each
    for each in (
        Variable("SUBJECT", "Title of the fax", "传真标题", "Offer for ten fax lines", "十路传真线路报价单"),
        Variable("TEXT", "Text of the fax", "传真主题", _TEXT_EN, _TEXT_ZH),
        Variable("TO", "Recipient", "收件人", "Ms Chen Jing, Purchasing", "采购部 陈静 女士"),
        Variable(
            "TO_NUMBER", "Recipient's number, where there is one alone", "收件传真号码", "0731-7754002", "0731-7754002"
        ),
        Variable("FROM", "Sender's full name", "发件人姓名", "Mark Li", "李明"),
        Variable("SURNAME", "Sender's surname", "发件人姓氏", "Li", "李"),
        Variable("GIVEN_NAME", "Sender's given name", "发件人名字", "Mark", "明"),
        Variable("COMPANY", "Sender's company", "公司", "Xiangjiang Trading Ltd", "湘江贸易有限公司"),
        Variable("POSITION", "Sender's position", "职务", "Sales Manager", "销售经理"),
        Variable("ADDRESS", "Sender's address", "地址", "88 Renmin Road, Changde, Hunan", "湖南省常德市人民路 88 号"),
        Variable("POSTCODE", "Sender's postcode", "邮编", "415000", "415000"),
        Variable("TELEPHONE", "Sender's telephone", "电话号码", "0736-7804000", "0736-7804000"),
        Variable("MOBILE", "Sender's mobile", "手机号码", "138 0736 0001", "138 0736 0001"),
        Variable("FAX", "Sender's fax number", "传真号码", "0736-7804001", "0736-7804001"),
        Variable("DATE_TIME", "Date and time", "日期和时间", "2026-11-28 14:05", "2026-11-28 14:05"),
        Variable("PAGES", "Pages of the whole fax", "传真总页数", "3", "3"),
    )
}
# Known only when everything else has been drawn.
PAGES = "PAGES"
# What a sender writes must not be lost.
REQUIRED = "TEXT"


def examples(language: str) -> dict[str, str]:
    """A value for each variable, as in a fax that somebody might send."""
    return {
        name: variable.example_zh if language == "zh" else variable.example_en for name, variable in VARIABLES.items()
    }
