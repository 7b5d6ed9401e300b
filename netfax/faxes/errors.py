"""What a person may get wrong about a fax."""

from netfax.errors import UserError


class RequestRefused(UserError):
    """One or more fields of a fax can't be accepted; `problems` names each field with its error."""

    code = "request_refused"
    en = zh = "{sentences}"

    def __init__(self, problems: list[tuple[str, UserError]]) -> None:
        self.problems = problems
        super().__init__(sentences=" ".join(error.text("en") for _, error in problems))

    def text(self, language: str) -> str:
        return " ".join(error.text(language) for _, error in self.problems)


class NoNumbers(UserError):
    code = "no_numbers"
    en = "Enter at least one fax number."
    zh = "请输入至少一个传真号码。"


class TooManyNumbers(UserError):
    code = "too_many_numbers"
    en = "{count} numbers are too many for one fax; the limit is {limit}."
    zh = "一份传真最多发送 {limit} 个号码，您输入了 {count} 个。"


class NoAttachment(UserError):
    code = "no_attachment"
    en = "Attach at least one document."
    zh = "请至少添加一个附件。"


class TooManyAttachments(UserError):
    code = "too_many_attachments"
    en = "A fax takes at most {limit} attachments; you chose {count}."
    zh = "一份传真最多 {limit} 个附件，您选择了 {count} 个。"


class AttachmentTooLarge(UserError):
    code = "attachment_too_large"
    en = "{name} has {size} KB; an attachment may have at most {limit} KB."
    zh = "{name} 大小为 {size} KB，单个附件不能超过 {limit} KB。"


class NoFaxNumber(UserError):
    code = "no_fax_number"
    en = "Your account has no fax number yet; ask your administrator for one."
    zh = "您的帐号还没有分配传真号码，请联系管理员。"


class TextTooLong(UserError):
    code = "text_too_long"
    en = "This text has {count} characters; at most {limit} are kept."
    zh = "该内容有 {count} 个字符，最多 {limit} 个。"


class AlreadyEnded(UserError):
    code = "already_ended"
    en = "This fax has ended already: {state_en}."
    zh = "此传真已结束：{state_zh}。"


class NoPages(UserError):
    code = "no_pages"
    en = "This fax has no pages to show yet."
    zh = "此传真还没有可显示的页面。"
