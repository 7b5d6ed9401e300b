"""Every parameter, each once: its name, type, bounds, default and what it does, in both languages."""

import re
from dataclasses import dataclass
from zoneinfo import available_timezones

from netfax.errors import UserError


class UnknownParam(UserError):
    code = "unknown_param"
    en = "There is no parameter {name!r}; `netfax param list` shows them all."
    zh = "没有参数 {name!r}；用 `netfax param list` 查看全部参数。"


class BadParamValue(UserError):
    code = "bad_param_value"
    en = "{name} can't be {value!r}: it takes {wanted_en}."
    zh = "{name} 不能设为 {value!r}：应为{wanted_zh}。"


@dataclass(frozen=True)
class Whole:
    """A whole number between two bounds, both included."""

    low: int
    high: int

    @property
    def wanted_en(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    @property
    def wanted_zh(self) -> str:
        return f" {self.low} 到 {self.high} 的整数"

    def read(self, text: str) -> str | None:
        """The value in its stored form, or None when it is not one."""
        if not re.fullmatch(r"\d{1,12}", text, re.ASCII):
            return None
        return str(int(text)) if self.low <= int(text) <= self.high else None


@dataclass(frozen=True)
class Pattern:
    """A text that matches a regular expression whole."""

    pattern: str
    wanted_en: str
    wanted_zh: str

    def read(self, text: str) -> str | None:
        return text if re.fullmatch(self.pattern, text, re.ASCII) else None


@dataclass(frozen=True)
class Zone:
    """A time zone's name."""

    wanted_en = "a time zone such as Asia/Shanghai"
    wanted_zh = "时区名称，例如 Asia/Shanghai"

    def read(self, text: str) -> str | None:
        return text if text in available_timezones() else None


@dataclass(frozen=True)
class Span:
    """A span of the day; one that ends before it begins goes over midnight."""

    wanted_en = "a span such as 08:00-20:00 (00:00-24:00 is always)"
    wanted_zh = "时间段，例如 08:00-20:00（00:00-24:00 为全天）"

    def read(self, text: str) -> str | None:
        clock = r"(([01]\d|2[0-3]):[0-5]\d)"
        match = re.fullmatch(rf"{clock}-({clock}|24:00)", text, re.ASCII)
        return text if match and match[1] != match[3] else None


@dataclass(frozen=True)
class Switch:
    """On or off."""

    wanted_en = "on or off"
    wanted_zh = " on（开）或 off（关）"

    def read(self, text: str) -> str | None:
        return text if text in ("on", "off") else None


@dataclass(frozen=True)
class Param:
    name: str
    kind: Whole | Pattern | Zone | Span | Switch
    default: str
    unit: str
    title_en: str
    title_zh: str
    help_en: str
    help_zh: str


def _param(name: str, kind: Whole | Pattern | Zone | Span | Switch, default: str, unit: str, *texts: str) -> Param:
    return Param(name, kind, default, unit, *texts)


PARAMS: dict[str, Param] = {
    param.name: param
    for param in (
        _param(
            "retry_interval",
            Whole(10, 86_400),
            "180",
            "s",
            "Interval between tries",
            "传真重发间隔",
            "How long to wait before a number is called again.",
            "呼叫失败后，隔多久再次拨打。",
        ),
        _param(
            "retry_count",
            Whole(0, 20),
            "5",
            "",
            "Number of retries",
            "传真重发次数",
            "How often a number is called again, after the first call; calls that nobody answers cost nothing.",
            "第一次呼叫失败后再次呼叫的次数；无人应答的呼叫不产生费用。",
        ),
        _param(
            "paid_retry_count",
            Whole(0, 20),
            "3",
            "",
            "Number of retries that cost money",
            "产生费用的重发次数",
            "How often a fax is sent again after calls that were answered; never more than the number of retries.",
            "呼叫已接通但发送失败后重发的次数，不超过传真重发次数。",
        ),
        _param(
            "fax_lifetime",
            Whole(1, 8_760),
            "72",
            "h",
            "Time in which a fax is sent",
            "传真发送期限",
            "A fax that could not be sent in this time, counted from its planned time, ends as failed.",
            "自计划发送时间起，超过此期限仍未发出的传真按发送失败处理。",
        ),
        _param(
            "calling_hours",
            Span(),
            "00:00-24:00",
            "",
            "Hours in which numbers are called",
            "允许外拨的时段",
            "Outside these hours, in the system's time zone, no fax is dialled; a span over midnight is allowed.",
            "在此时段之外（按系统时区）不拨打传真；可以跨越午夜。",
        ),
        _param(
            "time_zone",
            Zone(),
            "Asia/Shanghai",
            "",
            "Time zone of the system",
            "系统时区",
            "The zone in which calling hours are meant.",
            "允许外拨时段所用的时区。",
        ),
        _param(
            "user_calls",
            Whole(0, 1_000),
            "0",
            "",
            "Calls of one user at once",
            "单个用户同时外拨数",
            "How many calls out one user may have at the same time; 0 for as many as there are lines.",
            "单个用户同时外拨的最大路数；0 表示不限。",
        ),
        _param(
            "domain_calls",
            Whole(0, 1_000),
            "0",
            "",
            "Calls of one domain at once",
            "单个域同时外拨数",
            "How many calls out one domain may have at the same time; 0 for as many as there are lines.",
            "单个域同时外拨的最大路数；0 表示不限。",
        ),
        _param(
            "max_attachment",
            Whole(1, 25_600),
            "20480",
            "KB",
            "Largest attachment",
            "最大传真发送附件",
            "The largest size of each attachment of a fax.",
            "单个传真附件的最大限制。",
        ),
        _param(
            "max_attachments",
            Whole(1, 10),
            "3",
            "",
            "Attachments of a fax",
            "附件个数",
            "How many attachments a fax may have.",
            "一份传真最多可带的附件个数。",
        ),
        _param(
            "max_recipients",
            Whole(1, 10_000),
            "500",
            "",
            "Recipients of a fax",
            "接收号码个数",
            "How many numbers one fax may be sent to.",
            "一份传真最多可发送的号码个数。",
        ),
        _param(
            "extension_mark",
            Pattern(r"[A-Za-z]", "one letter", "一个字母"),
            "E",
            "",
            "Extension mark",
            "分机标志符",
            "The letter between a main number and its extension, as in 64802994E801.",
            "总机号码和分机号码之间的标志符，例如 64802994E801。",
        ),
        _param(
            "extension_wait",
            Whole(0, 60),
            "3",
            "s",
            "Wait before an extension",
            "拨分机等待时间",
            "How long to wait after the main number answers before its extension is dialled.",
            "总机应答后，等待多久再拨分机号码。",
        ),
        _param(
            "country_code",
            Pattern(r"[1-9]\d{0,2}", "a country code such as 86", "国家代码，例如 86"),
            "86",
            "",
            "Country code",
            "国家代码",
            "The country in which the lines are.",
            "线路所在的国家。",
        ),
        _param(
            "area_code",
            Pattern(r"[1-9]\d{1,4}", "an area code without its leading 0, such as 736", "不含前导 0 的区号，例如 736"),
            "736",
            "",
            "Local area code",
            "本地区号",
            "The area in which the lines are; calls within it are dialled without an area code.",
            "线路所在的区号；拨打本地号码时不加区号。",
        ),
        _param(
            "ring_time",
            Whole(15, 180),
            "60",
            "s",
            "Ringing time",
            "振铃等待时间",
            "How long a called number may ring before the call is given up.",
            "对方振铃多久无人应答后放弃呼叫。",
        ),
        _param(
            "page_header",
            Switch(),
            "on",
            "",
            "Line at the top of each page",
            "页眉",
            "Pages that go out begin with a line of date, sender, numbers and page, as the law of many countries asks.",
            "发出的每页顶端加印一行：日期、发件人、号码和页码（许多国家的法律要求）。",
        ),
        _param(
            "ocr",
            Switch(),
            "off",
            "",
            "Reading the text of faxes",
            "识别传真文字",
            "Pages of new faxes, sent and received, are read, so that a search finds them by their text.",
            "识别新收发传真各页的文字（OCR），查找时可按内容找到传真。",
        ),
        _param(
            "disk_reserve",
            Whole(1, 1_000_000),
            "200",
            "MB",
            "Disk reserve",
            "磁盘保留空间",
            "Below this free space calls are refused before the answer and no fax is accepted.",
            "剩余空间低于此值时，来电在应答前拒绝，也不再接受发送。",
        ),
    )
}


def param(name: str) -> Param:
    """The parameter of that name, or `UnknownParam`."""
    if name not in PARAMS:
        raise UnknownParam(name=name)
    return PARAMS[name]


def read_value(name: str, text: str) -> str:
    """The text as a value that the parameter takes, or `BadParamValue` with what it takes."""
    wanted = param(name)
    value = wanted.kind.read(text.strip())
    if value is None:
        raise BadParamValue(
            name=name, value=text[:40], wanted_en=wanted.kind.wanted_en, wanted_zh=wanted.kind.wanted_zh
        )
    return value
