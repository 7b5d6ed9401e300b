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


class MoreWrongNumbers(UserError):
    code = "more_wrong_numbers"
    en = "{count} more can't be read."
    zh = "另有 {count} 个号码无法识别。"


class NoAttachment(UserError):
    code = "no_attachment"
    en = "Attach at least one document, or choose a cover."
    zh = "请至少添加一个附件，或选择传真封面。"


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


class NeverDrawn(UserError):
    code = "never_drawn"
    en = "The pages of this fax were never drawn; send the document anew."
    zh = "此传真的页面未能转换，请重新提交文档发送。"


class TooManyLines(UserError):
    code = "too_many_lines"
    en = "This text has {count} lines; at most {limit} are kept."
    zh = "该内容有 {count} 行，最多 {limit} 行。"


class PlannedInThePast(UserError):
    code = "planned_in_the_past"
    en = "The planned time is past; choose a later one, or none to send now."
    zh = "定时发送的时间已过，请选择以后的时间，或不填以立即发送。"


class PlannedTooFarAhead(UserError):
    code = "planned_too_far_ahead"
    en = "A fax can be planned for at most a year ahead; choose an earlier time."
    zh = "定时发送的时间不能超过一年，请选择更早的时间。"


class NotATime(UserError):
    code = "not_a_time"
    en = "{text!r} is not a time; write it as 2026-12-31 08:30."
    zh = "{text!r} 不是有效的时间，请按 2026-12-31 08:30 的格式填写。"


class NotAPriority(UserError):
    code = "not_a_priority"
    en = "{text!r} is not a priority; choose high, medium or low."
    zh = "{text!r} 不是有效的优先级，请选择高、中或低。"


class NotAResolution(UserError):
    code = "not_a_resolution"
    en = "{text!r} is not a resolution; choose standard, fine or superfine."
    zh = "{text!r} 不是有效的分辨率，请选择标准、精细或超精细。"


class NotAMode(UserError):
    code = "not_a_mode"
    en = "{text!r} is no kind of page; choose automatic, text, mixed or photo."
    zh = "{text!r} 不是有效的内容类型，请选择自动、文字、图文或照片。"


class BadKey(UserError):
    code = "bad_key"
    en = "A request's key has 1 to {limit} printable characters."
    zh = "请求标识应为 1 到 {limit} 个可打印字符。"


class KeyReused(UserError):
    code = "key_reused"
    en = "This request's key was used for another fax; take a new one."
    zh = "此请求标识已用于另一份传真，请更换标识。"


class PreviewUnderWay(UserError):
    code = "preview_under_way"
    en = "Your last preview is still being drawn; try again in a moment."
    zh = "您的上一次预览仍在生成，请稍后重试。"


class PreviewsBusy(UserError):
    code = "previews_busy"
    en = "Several previews are being drawn at this moment; try again in a moment. The fax can be sent without one."
    zh = "系统正在生成多份预览，请稍后重试；不预览也可以直接发送。"


class StillConverting(UserError):
    code = "still_converting"
    en = "The pages of this fax are still being drawn; try again in a moment."
    zh = "此传真正在转换页面，请稍后重试。"


class WaitsForApproval(UserError):
    code = "waits_for_approval"
    en = "This fax waits for its approval; it can only be cancelled."
    zh = "此传真正在等待审批，只能取消。"


class OnTheLineNow(UserError):
    code = "on_the_line"
    en = "This fax is on the line now; it can only be cancelled."
    zh = "此传真正在通话中，只能取消。"


class NotHeld(UserError):
    code = "not_held"
    en = "This fax is not held."
    zh = "此传真没有被暂停。"


class NotEndedYet(UserError):
    code = "not_ended_yet"
    en = "This fax has not ended yet ({state_en}); it can be sent again when it has."
    zh = "此传真尚未结束（{state_zh}），结束后才能重新发送。"


class WasRefused(UserError):
    code = "was_refused"
    en = "This fax was refused; submit it anew."
    zh = "此传真已被拒绝，请重新提交。"


class AlreadySentAgain(UserError):
    code = "already_sent_again"
    en = "This fax has been sent again already, as fax {number}."
    zh = "此传真已重新发送，请查看传真 {number}。"


class SentAlready(UserError):
    code = "sent_already"
    en = "Every page of this fax was confirmed already; to send it a second time, ask for the whole fax."
    zh = "此传真的全部页面已确认送达；如需再次发送，请选择重发整份传真。"
