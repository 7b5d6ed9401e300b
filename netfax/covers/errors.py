"""What a person may get wrong about a cover."""

from netfax.errors import UserError


class NoSuchCover(UserError):
    code = "no_such_cover"
    en = "This cover is not there any more; choose another one."
    zh = "所选封面已不存在，请选择其他封面。"


class TemplateProblem(UserError):
    """Something in a template's HTML."""


class TemplateTooLong(TemplateProblem):
    code = "cover_too_long"
    en = "The template has {count} characters; at most {limit} are kept. Make pictures in it smaller."
    zh = "模板有 {count} 个字符，最多 {limit} 个，请缩小其中的图片。"


class UnknownVariable(TemplateProblem):
    code = "cover_unknown_variable"
    en = "There is no variable {name}."
    zh = "没有变量 {name}。"


class UnclosedVariable(TemplateProblem):
    code = "cover_unclosed_variable"
    en = "“{{$” begins a variable, which “}}” must end, as in {{$SUBJECT}}."
    zh = "变量以“{{$”开始，必须以“}}”结束，如 {{$SUBJECT}}。"


class MisplacedVariable(TemplateProblem):
    code = "cover_misplaced_variable"
    en = "{name} stands in a tag, a style or a comment; a variable belongs into the text between tags."
    zh = "{name} 位于标签、样式或注释内；变量只能放在标签之间的文字里。"


class NothingFetched(TemplateProblem):
    code = "cover_nothing_fetched"
    en = "This refers to something elsewhere, which is never fetched; put pictures in as data: URLs."
    zh = "此处引用了外部内容，系统不会读取；图片请以 data: 形式嵌入。"


class VariableMissing(TemplateProblem):
    code = "cover_variable_missing"
    en = "{name} is missing: what a sender writes would be lost."
    zh = "缺少 {name}：发件人填写的内容将会丢失。"


class NotHypertext(TemplateProblem):
    code = "cover_not_html"
    en = "This is not an HTML page; begin with <!doctype html>."
    zh = "这不是 HTML 页面，请以 <!doctype html> 开头。"


class NothingToSee(TemplateProblem):
    code = "cover_nothing_to_see"
    en = "There is nothing to see on the page; look for a tag, a style or a comment that is not closed."
    zh = "页面上没有任何内容，请检查是否有未结束的标签、样式或注释。"


class NotLaidOut(TemplateProblem):
    code = "cover_not_laid_out"
    en = "This can't be laid out as a page: {reason}"
    zh = "无法排版成页面：{reason}"


class TemplateRefused(UserError):
    """A template that is not saved as it is; the editor shows each of its problems."""

    code = "cover_refused"
    en = "The template was not saved: it has problems."
    zh = "模板存在问题，未保存。"


class BadTemplateName(UserError):
    code = "cover_bad_name"
    en = "A template's name has 1 to {limit} printable characters."
    zh = "模板名称应为 1 到 {limit} 个可显示的字符。"


class TemplateNameTaken(UserError):
    code = "cover_name_taken"
    en = "There is a template “{name}” already; take another name."
    zh = "模板“{name}”已存在，请换一个名称。"


class EditedMeanwhile(UserError):
    """`by` has saved it since this one began; what this one wrote stays in the editor."""

    code = "cover_edited_meanwhile"
    en = "{by} has changed this template meanwhile, so yours was not saved. Both are below; to save yours, save again."
    zh = "{by} 在此期间修改了该模板，您的修改未保存。两者均在下方；如要保存您的修改，请再次保存。"
