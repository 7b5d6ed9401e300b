"""What can be wrong with a fax number, each in one sentence that quotes the input safely and says what to write."""

import unicodedata

from netfax.errors import UserError

# Long enough to recognise a number, short enough for one line.
SHOWN_CHARACTERS = 40
# Characters that turn the direction of a line would let a number rewrite the sentence around it.
_TURNING = {"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "PDF", "PDI", "FSI"}


def shown(text: str) -> str:
    """`text` for a sentence: at most 40 characters; controls, marks and right-to-left ones as `\\u{…}`."""
    cut = "".join(_shown_character(character) for character in text[:SHOWN_CHARACTERS])
    return cut + ("…" if len(text) > SHOWN_CHARACTERS else "")


def _shown_character(character: str) -> str:
    plain = (
        character.isprintable()
        and unicodedata.bidirectional(character) not in _TURNING
        and not unicodedata.category(character).startswith("M")
    )
    return character if plain else f"\\u{{{ord(character):x}}}"


class NotAFaxNumber(UserError):
    """No fax number at all. Values: `text` (already `shown`), `mark`."""

    code = "not_a_fax_number"
    en = (
        "“{text}” is not a fax number: write 3 to 15 digits, with spaces, dots, dashes and brackets as you like, "
        "“+” only in front, and an extension after “{mark}”."
    )
    zh = (
        "“{text}”不是传真号码：请输入 3 至 15 位数字，可含空格、点、横线和括号，"
        "“+”只能在最前面，分机号写在“{mark}”之后。"
    )


class NotAnExtension(NotAFaxNumber):
    """What follows the extension mark cannot be dialled. Values: `text`, `mark`."""

    code = "not_an_extension"
    en = "“{text}” has no usable extension: after “{mark}” write 1 to 20 of the digits, “*”, “#” and “,” (a pause)."
    zh = "“{text}”的分机号不正确：“{mark}”之后请输入 1 至 20 位数字、“*”、“#”或“,”（停顿）。"


class IncompleteNumber(NotAFaxNumber):
    """Digits that name no subscriber. Values: `text`, `mark`."""

    code = "incomplete_number"
    en = (
        "“{text}” is not a complete fax number: write a local number alone, 0 and the area code before one elsewhere "
        "in the country, or + and the country code before one abroad."
    )
    zh = "“{text}”不是完整的传真号码：本地号码直接输入，国内长途请加 0 和区号，国际号码请加“+”和国家代码。"


class UnknownCode(NotAFaxNumber):
    """The area code or country code does not exist. Values: `text`, `mark`."""

    code = "unknown_code"
    en = "“{text}” begins with an area code or country code that does not exist: check its first digits."
    zh = "“{text}”的区号或国家代码不存在：请检查号码开头的数字。"


class AreaCodeNeeded(NotAFaxNumber):
    """A local number, and nobody has said which area is home. Values: `text`, `mark`."""

    code = "area_code_needed"
    en = "“{text}” has no area code and no home area is set: write the number with 0 and its area code."
    zh = "“{text}”没有区号，系统也没有设置本地区号：请加 0 和区号输入完整号码。"


class EmergencyNumber(NotAFaxNumber):
    """A number of the police, the ambulance or the fire service; nothing overrides this. Values: `text`, `mark`."""

    code = "emergency_number"
    en = "“{text}” would reach an emergency service and is never dialled: write the recipient's fax number."
    zh = "“{text}”会接通紧急服务，系统绝不拨打：请输入收件人的传真号码。"


class NotAHome(UserError):
    """Country code and area code of a home that do not exist. Values: `country`, `area` (already `shown`)."""

    code = "not_a_home"
    en = "Country code “{country}” with area code “{area}” does not exist: write digits such as 86 and 736."
    zh = "国家代码“{country}”加区号“{area}”不存在：请输入数字，例如 86 和 736。"


class NotAMark(UserError):
    """A character that cannot stand before an extension. Values: `text` (already `shown`)."""

    code = "not_an_extension_mark"
    en = "“{text}” cannot mark an extension: choose one letter from A to Z, “*” or “#”."
    zh = "“{text}”不能作为分机标志符：请选择一个英文字母、“*”或“#”。"
