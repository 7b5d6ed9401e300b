"""The documents of the fourth table: what offices fax, made by script, the same in every run.

Fonts: Noto CJK, and the URW ones that Ghostscript needs (Nimbus Roman and Sans, the twins of Times and Helvetica).
"""

import html
import math
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Pixels = NDArray[np.float64]
Language = Literal["eng", "chi_sim"]
LANGUAGES: tuple[Language, ...] = ("eng", "chi_sim")
SHORT = {"eng": "en", "chi_sim": "zh"}

SERIF = "'Nimbus Roman', 'Noto Serif CJK SC'"
SANS = "'Nimbus Sans', 'Noto Sans CJK SC'"
LONG_PAGES = 169
SCAN_DPI = 300
SCAN_TILT = 0.4


@dataclass(frozen=True)
class Document:
    """A PDF, and what is there to be seen on it.

    To be read is the text of `written`: it is this PDF or, of a scan, the one that was scanned, lying with a `tilt`
    of so many degrees. Of what has `tone`, photographs and shades, the greys are to be seen.
    """

    name: str
    path: Path
    group: Literal["text", "mixed"]
    language: Language
    written: Path | None
    tilt: float = 0.0
    tone: bool = False


@dataclass(frozen=True)
class Kind:
    """How documents of a kind are made: the bodies of their pages, and the style that all of them share."""

    name: str
    group: Literal["text", "mixed"]
    bodies: Callable[["Writer"], list[str]]
    style: str
    read: bool = True
    tone: bool = False


# What the sentences are made of.
NOUNS = {
    "eng": "agreement invoice shipment warehouse payment signature quotation certificate delivery insurance schedule "
    "equipment guarantee document branch account supplier customer transport customs report drawing machine budget "
    "warranty package container engineer department meeting proposal committee property licence building contract",
    "chi_sim": "合同 发票 货物 仓库 货款 签字 报价单 证书 交货期 保险单 进度表 设备 保证金 附件 分公司 账户 "
    "供应商 客户 运输费 报关单 验收报告 图纸 机床 预算 质保书 包装箱 集装箱 工程款 租赁协议 会议纪要 投标文件 委托书 "
    "房产证 营业执照 增值税票 违约金 商业秘密 施工方案 检测数据 原材料 劳动关系 薪酬制度 销售渠道 赔偿责任 管辖法院",
}
VERBS = {
    "eng": "confirm deliver inspect return approve sign replace receive forward examine cancel store repair transfer "
    "describe accept review complete prepare settle",
    "chi_sim": "确认 交付 检验 退还 批准 签署 更换 接收 转交 审查 取消 保管 维修 划转 说明 承担 复核 完成 准备 结清 "
    "履行 终止 提供 遵守 缴纳",
}
QUALITIES = {
    "eng": "original complete damaged final annual foreign temporary written quarterly additional previous technical "
    "standard binding urgent valuable domestic separate",
    "chi_sim": "原始 完整 破损 最终 年度 境外 临时 书面 季度 补充 此前 技术 标准 紧急 贵重 国内 单独 逾期 合格",
}
ROLES = {
    "eng": "buyer seller carrier landlord tenant lender insurer agent contractor auditor",
    "chi_sim": "甲方 乙方 丙方 承运人 出租人 承租人 贷款人 保险人 代理人 承包商 审计机构 监理单位",
}
TIMES = {
    "eng": "within thirty days|before the end of the month|without further notice|on the following business day"
    "|not later than Friday|at its own expense|by registered mail|in the presence of both parties",
    "chi_sim": "三十日内|月底之前|接到通知后|次一工作日|最迟于星期五|自费|以挂号信方式|在双方在场的情况下",
}
PLACES = {
    "eng": "Harbour Street|Old Mill Lane|the northern depot|Queen's Square|the regional office|Station Road",
    "chi_sim": "江苏省徐州市泉山区淮海西路|上海市浦东新区张杨路|深圳市南山区科技园|辽宁省沈阳市铁西区重工街"
    "|厦门市湖里区殿前街道",
}
NAMES = {
    "eng": "Margaret Whitfield|Jonathan Keller|Priya Raman|Oscar Lindqvist|Helen Okafor|Thomas Grey",
    "chi_sim": "赵国强|钱丽华|孙建军|欧阳雪梅|周志远|吴晓峰|郑海燕|蒋毅",
}
COMPANIES = {
    "eng": "Whitfield & Sons Ltd|Northern Bearings Inc|Kestrel Shipping Co|Blue Valley Foods|Granite Insurance plc",
    "chi_sim": "徐州恒泰机械有限公司|华东轴承股份有限公司|远洋货运代理公司|绿谷食品集团|磐石财产保险公司",
}
SENTENCES = {
    "eng": (
        "The {role} shall {verb} the {quality} {noun} {time}.",
        "If the {noun} is {quality}, the {role} may {verb} the {noun} or {verb} it {time}.",
        "On {day} {month} {year} we received {count} pieces for the {noun}, in total {amount} dollars.",
        "Please {verb} the {noun} and the {quality} {noun} {time} and send a copy to {place}.",
        "Neither the {role} nor the {role} is obliged to {verb} a {noun} that is {quality}.",
        "{name} of {company} will {verb} the {noun}; you can reach the office at {phone}.",
    ),
    "chi_sim": (
        "{role}应{time}{verb}{quality}的{noun}，并{verb}{noun}。",
        "如{noun}{quality}，{role}有权{verb}{noun}，{role}不得提出异议。",
        "截至{year}年{monthnumber}月{day}日，共收到{noun}{count}件，合计人民币{amount}元。",
        "经协商一致，{role}同意{time}{verb}{quality}{noun}，寄往{place}。",
        "未经{role}书面许可，{role}不得{verb}或者{verb}任何{quality}的{noun}。",
        "{company}委派{name}负责{verb}{noun}事宜，联系电话{phone}。",
    ),
}
MONTHS = ("January", "February", "March", "April", "June", "July", "August", "September", "October", "November")
TICK = "<svg viewBox='0 0 10 10'><path d='M2,5L4,8L9,1' fill='none' stroke='black' /></svg>"
LOGO = (
    "<svg viewBox='0 0 40 40'><circle cx='20' cy='20' r='19' fill='#e8b030' />"
    "<path d='M8,30L20,6L32,30Z' fill='#a02020' /></svg>"
)
AXES = "<path d='M10,10V200H395' fill='none' stroke='black' />"
CAPITAL_NUMERALS = "零壹贰叁肆伍陆柒捌玖"


class Writer:
    """Sentences, names and figures of one language, the same for the same document."""

    def __init__(self, language: Language, seed: str) -> None:
        self.language = language
        self.random = Random(f"{language} {seed}")

    @property
    def gap(self) -> str:
        return " " if self.language == "eng" else ""

    def say(self, english: str, chinese: str) -> str:
        return english if self.language == "eng" else chinese

    def pick(self, words: dict[str, str]) -> str:
        listed = words[self.language]
        return self.random.choice(listed.split("|") if "|" in listed else listed.split())

    def noun(self) -> str:
        return self.pick(NOUNS)

    def quality(self) -> str:
        return self.pick(QUALITIES)

    def name(self) -> str:
        return self.pick(NAMES)

    def company(self) -> str:
        return self.pick(COMPANIES)

    def amount(self) -> str:
        return f"{self.random.randint(1000, 999999) / 100:,.2f}"

    def phone(self) -> str:
        return f"0{self.random.randint(100, 999)}-{self.random.randint(1000000, 9999999)}"

    def sentence(self) -> str:
        pattern = self.random.choice(SENTENCES[self.language])
        makers: dict[str, Callable[[], object]] = {
            "noun": self.noun,
            "quality": self.quality,
            "verb": lambda: self.pick(VERBS),
            "role": lambda: self.pick(ROLES),
            "time": lambda: self.pick(TIMES),
            "place": lambda: self.pick(PLACES),
            "name": self.name,
            "company": self.company,
            "amount": self.amount,
            "phone": self.phone,
            "day": lambda: self.random.randint(1, 28),
            "month": lambda: self.random.choice(MONTHS),
            "monthnumber": lambda: self.random.randint(1, 12),
            "year": lambda: self.random.randint(1998, 2026),
            "count": lambda: self.random.randint(2, 960),
        }
        return re.sub(r"{(\w+)}", lambda match: html.escape(str(makers[match[1]]())), pattern)

    def paragraph(self, sentences: int) -> str:
        """Chinese says as much in less room: there are more of its sentences."""
        more = 0 if self.language == "eng" else sentences // 3
        return self.gap.join(self.sentence() for _ in range(sentences + more))

    def item(self) -> str:
        return f"{self.quality()}{self.gap}{self.noun()}"


# Pure text.
def _letter(writer: Writer, paragraphs: int) -> list[str]:
    greeting = writer.say(f"Dear {writer.name()},", f"尊敬的{writer.name()}：")
    parts = "".join(f"<p>{writer.paragraph(3)}</p>" for _ in range(paragraphs))
    address = f"<p>{html.escape(writer.company())}<br>{writer.pick(PLACES)}<br>{writer.phone()}</p>"
    closing = writer.say("Yours sincerely,", "此致敬礼！")
    return [f"{address}<p>{greeting}</p>{parts}<p>{closing}</p><p>{writer.name()}</p>"]


def _contract(writer: Writer, pages: int, clauses: int) -> list[str]:
    def clause(number: int) -> str:
        head = writer.say(f"{number}.", f"第{number}条")
        return f"<p class=clause>{head} {writer.paragraph(2)}</p>"

    return ["".join(clause(page * clauses + each + 1) for each in range(clauses)) for page in range(pages)]


# Tables.
def _row(cells: Sequence[object], cell: str = "td") -> str:
    return "<tr>" + "".join(f"<{cell}>{html.escape(str(each))}</{cell}>" for each in cells) + "</tr>"


def _table(writer: Writer, rows: int) -> str:
    heads = writer.say("No.|Description|Pieces|Price|Amount", "编号|品名规格|数量|单价|金额").split("|")
    lines = [
        _row((number, writer.item(), writer.random.randint(1, 500), writer.amount(), writer.amount()))
        for number in range(101, 101 + rows)
    ]
    return f"<table>{_row(heads, 'th')}{''.join(lines)}</table>"


def _invoice(writer: Writer) -> list[str]:
    capital = "".join(writer.random.choice(CAPITAL_NUMERALS[1:]) + unit for unit in "万仟佰拾元")
    total = writer.say(f"Total {writer.amount()} dollars", f"合计人民币（大写）{capital}整")
    head = f"<h1>{writer.say('Invoice', '销售发票')}</h1><p>{html.escape(writer.company())} {writer.phone()}</p>"
    return [f"{head}{_table(writer, 22)}<p class=total>{total}</p><p>{writer.paragraph(2)}</p>"]


def _price_list(writer: Writer) -> list[str]:
    title = writer.say("Price list of the year", "本年度产品价格表")
    return [f"<h2>{title}</h2>{_table(writer, 40)}"]


def _form(writer: Writer) -> list[str]:
    fields = writer.say(
        "Applicant|Date of birth|Identity card|Address|Telephone|Employer|Account|Purpose",
        "申请人姓名|出生日期|身份证号码|家庭住址|联系电话|工作单位|银行账号|申请事由",
    ).split("|")
    answers = (writer.name, writer.phone, writer.amount, writer.noun)
    lines = "".join(
        f"<div class=field><b>{field}</b><span>{writer.random.choice(answers)()}</span></div>" for field in fields * 2
    )
    choices = "".join(
        f"<div class=choice><i>{TICK if index % 3 == 0 else ''}</i>{writer.item()}</div>" for index in range(10)
    )
    return [f"<h1>{writer.say('Application form', '业务申请表')}</h1>{lines}{choices}"]


# What has shades and colours.
def _letterhead(writer: Writer) -> list[str]:
    head = f"<div class=head>{LOGO}{html.escape(writer.company())}</div>"
    return [f"{head}{_letter(writer, 7)[0]}<div class=foot>{writer.pick(PLACES)} {writer.phone()}</div>"]


def _notice(writer: Writer) -> list[str]:
    classes = ("warn", "pale", "blue", "green", "tint", "shade", "dark")
    parts = "".join(f"<div class={each}><h2>{writer.item()}</h2><p>{writer.paragraph(2)}</p></div>" for each in classes)
    return [f"<h1>{writer.say('Notice to all customers', '致全体客户的通知')}</h1>{parts}"]


def _slides(writer: Writer) -> list[str]:
    def slide(look: str) -> str:
        points = "".join(f"<li>{writer.sentence()}</li>" for _ in range(4))
        return f"<div class='slide {look}'><h1>{writer.item()}</h1><ul>{points}</ul></div>"

    return [slide("navy"), slide("fading"), slide("light")]


def _charts(writer: Writer) -> list[str]:
    colours = ("#c0392b", "#2980b9", "#27ae60", "#f39c12", "#8e44ad", "#7f8c8d", "#f7dc6f")
    bars = "".join(
        f"<rect x='{20 + 40 * index}' y='{200 - height}' width='30' height='{height}' fill='{colours[index % 7]}' />"
        f"<text x='{20 + 40 * index}' y='214' font-size='11' font-family='Nimbus Sans'>{height // 2}%</text>"
        for index, height in enumerate(writer.random.randint(30, 180) for _ in range(9))
    )
    shares = [writer.random.randint(5, 30) for _ in colours]
    ends = np.cumsum([0, *shares]) / sum(shares) * 2 * math.pi
    slices = "".join(
        f"<path d='M100,100 L{100 + 90 * math.cos(begin):.1f},{100 + 90 * math.sin(begin):.1f}"
        f" A90,90 0 {int(end - begin > math.pi)} 1 {100 + 90 * math.cos(end):.1f},{100 + 90 * math.sin(end):.1f} Z'"
        f" fill='{colour}' />"
        for begin, end, colour in zip(ends, ends[1:], colours, strict=False)
    )
    legend = "".join(f"<p><b style='background: {each}'></b>{writer.item()}</p>" for each in colours)
    return [
        f"<h1>{writer.item()}</h1><svg class=bars viewBox='0 0 400 220'>{AXES}{bars}</svg>"
        f"<svg class=pie viewBox='0 0 200 200'>{slices}</svg><div class=legend>{legend}</div>"
        f"<p>{writer.paragraph(3)}</p>"
    ]


# Photographs.
def _captioned(picture: str) -> Callable[[Writer], list[str]]:
    return lambda writer: [
        f"<h1>{writer.item()}</h1><p>{writer.paragraph(3)}</p><img src={picture}><p>{writer.paragraph(4)}</p>"
    ]


def _page_wide(picture: str) -> Callable[[Writer], list[str]]:
    return lambda _: [f"<img src={picture}>"]


def _noise(rng: np.random.Generator, height: int, width: int, power: float) -> Pixels:
    """Noise whose parts are the weaker the finer they are, as in nature; from 0 to 1."""
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None, :] * width)
    field: Pixels = np.fft.irfft2(spectrum / np.maximum(frequency, 1) ** power, s=(height, width))
    low, high = np.percentile(field, (1, 99))
    spread: Pixels = np.clip((field - low) / (high - low), 0, 1)
    return spread


def _landscape(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A sky with clouds, ridge behind ridge in the haze, and a meadow."""
    down = np.linspace(0, 1, height)[:, None]
    clouds = np.clip(_noise(rng, height, width, 1.7) * 1.6 - 0.6, 0, 1)[..., None]
    sky = np.stack([110 + 90 * down, 150 + 70 * down, 215 + 25 * down], axis=-1) * np.ones((1, width, 1))
    picture: Pixels = sky * (1 - clouds) + 250.0 * clouds
    for depth, (at, colour) in enumerate(((0.42, (120, 140, 165)), (0.55, (75, 105, 95)), (0.72, (60, 95, 40)))):
        line = at + (0.18 - 0.05 * depth) * (_noise(rng, 1, width, 1.4) - 0.5)
        rough = (0.55 + 0.9 * _noise(rng, height, width, 1.1 - 0.3 * depth))[..., None]
        picture = np.where((down > line)[..., None], np.array(colour) * rough, picture)
    return picture


def _person(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A head and shoulders under soft light, hair with texture, before a wall out of focus."""
    y, x = np.mgrid[0:height, 0:width] / height
    middle = width / height / 2
    wall = 90 + 110 * _noise(rng, height, width, 2.2)
    picture = np.stack([wall, wall * 0.95, wall * 0.85], axis=-1)

    def put(cx: float, cy: float, rx: float, ry: float, colour: tuple[int, ...], grain: float) -> None:
        nonlocal picture
        u, v = (x - cx) / rx, (y - cy) / ry
        bulge = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        light = np.clip(0.25 + 0.8 * (-0.5 * u - 0.4 * v + 0.75 * bulge), 0.05, 1.15)
        rough = 1 + grain * (_noise(rng, height, width, 0.7) - 0.5)
        edge = np.clip((1 - u * u - v * v) * 40, 0, 1)[..., None]
        picture = picture * (1 - edge) + np.array(colour) * (light * rough)[..., None] * edge

    put(middle, 1.12, 0.48, 0.42, (60, 75, 130), 0.3)
    put(middle, 0.42, 0.25, 0.34, (50, 35, 28), 1.4)
    put(middle, 0.48, 0.21, 0.28, (235, 190, 165), 0.1)
    for side in (-1, 1):
        put(middle + side * 0.085, 0.44, 0.035, 0.018, (245, 245, 240), 0.0)
        put(middle + side * 0.085, 0.44, 0.015, 0.016, (40, 30, 25), 0.0)
    put(middle, 0.53, 0.03, 0.06, (225, 175, 150), 0.1)
    put(middle, 0.62, 0.07, 0.02, (170, 80, 80), 0.2)
    return picture


def _street(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Buildings with rows of windows, some of them lit, over a dark road: many sharp edges."""
    sky = np.linspace(215, 245, height)[:, None, None] * np.array([0.85, 0.92, 1.0])
    picture = np.repeat(sky, width, axis=1)
    left = 0
    while left < width:
        right, top = left + int(rng.integers(90, 220)), int(rng.integers(height // 10, height // 2))
        picture[top : int(height * 0.85), left:right] = rng.integers(70, 190) * rng.uniform(0.8, 1.1, 3)
        for window_top in range(top + 15, int(height * 0.8), 34):
            for window_left in range(left + 12, right - 22, 30):
                shade = rng.integers(20, 80) if rng.random() < 0.8 else 235
                picture[window_top : window_top + 20, window_left : window_left + 16] = shade
        left = right
    picture[int(height * 0.85) :] = 60
    return picture * (0.8 + 0.4 * _noise(rng, height, width, 1.0))[..., None]


def _goods(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Polished balls of several colours and greys on a bright table, with shadows."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    picture: Pixels = (235 - 60 * y / height)[..., None] * np.array([1.0, 0.99, 0.96])
    for _ in range(9):
        radius, cx, cy = rng.uniform(60, 150), rng.uniform(100, width - 100), rng.uniform(height * 0.3, height * 0.85)
        shadow = np.exp(-(((x - cx - radius * 0.5) / radius) ** 2 + ((y - cy - radius * 0.9) / (radius * 0.35)) ** 2))
        picture = picture * (1 - 0.6 * shadow)[..., None]
        u, v = (x - cx) / radius, (y - cy) / radius
        bulge = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        towards = np.clip(-0.5 * u - 0.6 * v + 0.6 * bulge, 0, 1)
        shaded = rng.uniform(40, 230, 3) * (0.2 + 0.8 * towards)[..., None] + (160 * towards**30)[..., None]
        picture = np.where((bulge > 0)[..., None], shaded, picture)
    return picture


PHOTOGRAPHS = {"landscape": _landscape, "person": _person, "street": _street, "goods": _goods}


def _photograph(folder: Path, subject: str, height: int, width: int) -> str:
    """The file name of a JPEG, with a sensor's noise."""
    rng = np.random.default_rng(list(subject.encode()))
    picture = PHOTOGRAPHS[subject](rng, height, width) + rng.normal(0, 4, (height, width, 1))
    name = f"{subject}-{width}.jpg"
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / name, quality=85)
    return name


# What a scanner makes of a page.
def _scan(source: Path, target: Path, seed: int) -> None:
    """The first page of a PDF as an old office scanner sees it: a PDF of one picture."""
    rng = np.random.default_rng(seed)
    with pypdfium2.PdfDocument(source) as document:
        page = document[0].render(scale=SCAN_DPI / 72, grayscale=True).to_pil().convert("L")
    laid = page.rotate(SCAN_TILT, Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(0.9))
    drawing = ImageDraw.Draw(laid)
    for _ in range(160):
        x, y, size = rng.integers(page.width), rng.integers(page.height), rng.integers(1, 5)
        drawing.ellipse((x, y, x + size, y + size), fill=int(rng.integers(40, 160)))
    paper = 222 + 26 * _noise(rng, page.height, page.width, 2.0)
    # The lid does not close at the left: a shadow runs down the page.
    paper *= 1 - 0.35 * np.exp(-np.arange(page.width) / 40)
    ink = np.asarray(laid, dtype=float) / 255
    seen = paper * (0.22 + 0.78 * ink) + rng.normal(0, 5, (page.height, page.width))
    coded = BytesIO()
    Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8)).save(coded, "JPEG", quality=60)
    Image.open(coded).save(target, "PDF", resolution=SCAN_DPI, quality=60)


LETTER = "p { margin: 0 0 0.8em; line-height: 1.35 }"
CONTRACT = "p { margin: 0 0 0.35em; line-height: 1.25; text-align: justify }"
TABLES = """
    table { border-collapse: collapse; width: 100%; margin: 1em 0 } h1, h2, p { margin: 0.4em 0 }
    td, th { border: 0.3pt solid #555; padding: 0.22em 0.5em; text-align: left }
    th { background: #ccc } tr:nth-child(odd) td { background: #f0f0f0 } .total { background: #ddd; padding: 4pt }"""
LETTERHEAD = """
    .head { background: #1f4e79; color: white; font-size: 20pt; padding: 8pt } svg { width: 40pt; height: 40pt }
    .foot { border-top: 2pt solid #a02020; color: #777 }"""
NOTICE = """
    h1 { color: #c00000 } h2, p { margin: 0 0 4pt } div { padding: 8pt; margin-bottom: 6pt }
    .warn { background: #ffeb00; color: #d00000 } .pale { color: #8a8a8a } .blue { background: #1458a8; color: white }
    .green { color: #2e8b57 } .tint { background: #e6f0fa } .shade { background: #b8b8b8 }
    .dark { background: #333; color: #ffd700 }"""
SLIDES = """
    .slide { height: 167mm; padding: 14mm; box-sizing: border-box } h1 { font-size: 28pt; margin: 0 0 10mm }
    li { font-size: 17pt; margin-bottom: 5mm } .navy { background: #12284c; color: white } .navy h1 { color: #ffc83d }
    .fading { background: linear-gradient(#3a6ea5, #cfe2f3) } .fading h1 { color: white } .light h1 { color: #2e75b6 }
    .light { border-left: 12mm solid #2e75b6 } .light li:nth-child(2) { color: #c55a11 }"""
CHARTS = """
    .bars { width: 150mm; height: 82mm } .pie { width: 75mm; height: 75mm }
    .legend b { display: inline-block; width: 12pt; height: 10pt; margin: 0 6pt }
    .legend { display: inline-block; margin-left: 10mm } .legend p { margin: 2pt }"""
FORM = """
    .field { display: flex; border: 0.5pt solid black; border-top-width: 0 } h1 { border-bottom: 0.5pt solid }
    .field b { width: 40mm; background: #e0e0e0; border-right: 0.5pt solid; padding: 4pt; font-weight: normal }
    .field span { padding: 4pt } .choice { padding-top: 7pt } i { display: inline-block; border: 0.8pt solid;
    width: 9pt; height: 9pt; margin-right: 6pt } svg { width: 9pt; height: 9pt; display: block }"""
CAPTIONED = "img { width: 100% } p { line-height: 1.3 }"
PAGE_WIDE = "@page { margin: 0 } img { width: 210mm; height: 296.9mm; display: block }"


def _font(family: str, points: float) -> str:
    return f"body {{ font-family: {family}; font-size: {points:g}pt }}"


def _kinds() -> Iterator[Kind]:
    """One document of each kind in either language."""
    yield Kind("letter serif 11pt", "text", lambda writer: _letter(writer, 9), _font(SERIF, 11) + LETTER)
    yield Kind("letter sans 10pt", "text", lambda writer: _letter(writer, 11), _font(SANS, 10) + LETTER)
    yield Kind("letter sans 12pt", "text", lambda writer: _letter(writer, 7), _font(SANS, 12) + LETTER)
    yield Kind("contract serif 9pt", "text", lambda writer: _contract(writer, 2, 22), _font(SERIF, 9) + CONTRACT)
    yield Kind("small print sans 7pt", "text", lambda writer: _contract(writer, 1, 34), _font(SANS, 7) + CONTRACT)
    yield Kind("letterhead", "mixed", _letterhead, _font(SERIF, 11) + LETTER + LETTERHEAD)
    yield Kind("invoice", "mixed", _invoice, _font(SANS, 10) + TABLES)
    yield Kind("price list", "mixed", _price_list, _font(SANS, 9) + TABLES)
    yield Kind("form", "mixed", _form, _font(SERIF, 11) + FORM)
    yield Kind("notice", "mixed", _notice, _font(SANS, 11) + NOTICE)
    slides = "@page { size: 297mm 167mm; margin: 0 }" + _font(SANS, 17) + SLIDES
    yield Kind("slides", "mixed", _slides, slides)
    yield Kind("charts", "mixed", _charts, _font(SANS, 11) + CHARTS, read=False, tone=True)


def make(folder: Path) -> tuple[list[Document], Path]:
    """All documents of both groups and the long PDF, made in two processes."""
    folder.mkdir()
    with ProcessPoolExecutor(2) as processes:
        long = processes.submit(_long, folder / "long.pdf")
        made = processes.map(_documents, LANGUAGES, [folder] * len(LANGUAGES))
        return [document for each in made for document in each], long.result()


def _documents(language: Language, folder: Path) -> list[Document]:
    """Everything in one language; the photographs differ too."""
    kinds = list(_kinds())
    for subject in ("landscape", "street") if language == "eng" else ("person", "goods"):
        small, large = _photograph(folder, subject, 960, 1440), _photograph(folder, subject, 1754, 1240)
        style = _font(SERIF, 11) + CAPTIONED
        kinds.append(Kind(f"{subject} in text", "mixed", _captioned(small), style, read=False, tone=True))
        kinds.append(Kind(f"{subject} page-wide", "mixed", _page_wide(large), PAGE_WIDE, read=False, tone=True))
    made = [_made(kind, language, folder) for kind in kinds]
    for seed, source in enumerate(made[:4:3]):
        target = folder / f"scan of {source.path.name}"
        _scan(source.path, target, seed)
        made.append(Document(f"scan of {source.name}", target, "mixed", language, source.path, SCAN_TILT))
    return made


def _made(kind: Kind, language: Language, folder: Path) -> Document:
    name = f"{kind.name} {SHORT[language]}"
    bodies = kind.bodies(Writer(language, kind.name))
    path = _write_pdf(folder / f"{name.replace(' ', '-')}.pdf", bodies, kind.style)
    return Document(name, path, kind.group, language, path if kind.read else None, tone=kind.tone)


def _write_pdf(path: Path, bodies: Sequence[str], style: str) -> Path:
    """One page for each body; what is too long for its page would spoil what is known of it."""
    # Half a second to load, which processes that only look at documents need not spend.
    import weasyprint

    whole = "".join(f"<section>{body}</section>" for body in bodies)
    base = "@page { size: A4; margin: 18mm } body, section { margin: 0 } section + section { break-before: page }"
    source = f"<!DOCTYPE html><style>{base}{style}</style><body>{whole}"
    rendered = weasyprint.HTML(string=source, base_url=f"{path.parent}/").render()
    if len(rendered.pages) != len(bodies):
        raise RuntimeError(f"{path.name} has {len(rendered.pages)} pages instead of {len(bodies)}")
    rendered.write_pdf(path)
    return path


def _long(path: Path) -> Path:
    """As many pages of dense text and tables as a thick contract has, in both languages."""
    writers = [Writer(language, "long") for language in LANGUAGES]
    bodies: list[str] = []
    for number in range(LONG_PAGES):
        writer = writers[number % 2]
        bodies += _price_list(writer) if number % 4 > 1 else _contract(writer, 1, 22)
    return _write_pdf(path, bodies, _font(SERIF, 9) + TABLES + CONTRACT)


def make_heavy(folder: Path) -> dict[str, Path]:
    """What is large once it is decoded."""
    folder.mkdir()
    width, height = 8000, 5000
    made = {name: folder / name for name in ("40 MP RGBA.png", "40 MP photograph.jpg", "200 pages of 1 bit.tif")}
    shades = Image.linear_gradient("L").resize((width, height))
    alpha = Image.radial_gradient("L").resize((width, height))
    Image.merge("RGBA", (shades, shades.transpose(Image.Transpose.ROTATE_180), shades, alpha)).save(
        made["40 MP RGBA.png"], compress_level=1
    )
    rng = np.random.default_rng(40)
    seen = Image.fromarray(np.clip(_landscape(rng, height // 5, width // 5), 0, 255).astype(np.uint8))
    seen.resize((width, height), Image.Resampling.BICUBIC).save(made["40 MP photograph.jpg"], quality=80)
    page = Image.new("1", (2480, 3508), 255)
    drawing, font, writer = ImageDraw.Draw(page), ImageFont.load_default(size=40), Writer("eng", "heavy")
    for line in range(60):
        drawing.text((200, 200 + 50 * line), writer.sentence(), font=font, fill=0)
    page.save(
        made["200 pages of 1 bit.tif"],
        compression="group4",
        dpi=(SCAN_DPI, SCAN_DPI),
        save_all=True,
        append_images=[page] * 199,
    )
    return made
