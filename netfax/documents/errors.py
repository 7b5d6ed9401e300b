"""Why a document can't be faxed, in words a clerk understands; `name` is the person's own file name."""

from netfax.documents.limits import MAX_FILE_BYTES, MAX_PAGE_PIXELS, MAX_PAGES
from netfax.errors import UserError


class DocumentError(UserError):
    """A document that can't become a fax."""

    @property
    def note(self) -> str:
        """The error as a fax keeps it, in no language: its code and the file's name; `read_note` reads it."""
        return f"{self.code} {self.values.get('name', '')}".rstrip()


class Refusal(Exception):
    """Raised where a file is opened, which knows no names: the caller makes the error of it."""

    def __init__(self, error: type[DocumentError]) -> None:
        self.error = error
        super().__init__(error.code)


class EmptyFile(DocumentError):
    code = "document_empty"
    en = "“{name}” is empty; there is nothing to fax. Choose another file."
    zh = "“{name}”是空文件，没有可传真的内容，请选择其他文件。"


class UnknownKind(DocumentError):
    """The kind comes from the content; the name's ending is no matter."""

    code = "document_kind_unknown"
    en = "“{name}” is of a kind that can't be faxed. Send an office document, PDF, picture, web page or plain text."
    zh = "无法传真“{name}”这种类型的文件，请使用 Office 文档、PDF、图片、网页或纯文本文件。"


class PostScriptRefused(DocumentError):
    """A program for printers, which nothing here runs."""

    code = "document_postscript"
    en = "“{name}” is a PostScript or printer file, which can't be faxed. Save it as a PDF and send that."
    zh = "“{name}”是 PostScript 或打印机文件，无法传真，请另存为 PDF 后发送。"


class ArchiveNotDocument(DocumentError):
    code = "document_archive"
    en = "“{name}” is an archive. Unpack it and send the documents that are in it."
    zh = "“{name}”是压缩包，请先解压，再发送其中的文件。"


class EncryptedDocument(DocumentError):
    code = "document_encrypted"
    en = "“{name}” is protected by a password. Save it without the password and send it again."
    zh = "“{name}”有密码保护，请取消密码另存后重新发送。"


class BlankDocument(DocumentError):
    code = "document_blank"
    en = "“{name}” has nothing on its pages; there is nothing to fax. Look whether it is the right file."
    zh = "“{name}”的页面上没有任何内容，无法传真，请检查是否选错了文件。"


class OnlyMacros(DocumentError):
    code = "document_only_macros"
    en = "“{name}” has nothing on its pages but macros, which are not run here. Save what it shows as a PDF."
    zh = "“{name}”只有宏，页面上没有内容；系统不会运行宏，请将要传真的内容另存为 PDF 后发送。"


class DynamicForm(DocumentError):
    """XFA: the pages of such a PDF say no more than that another program is needed."""

    code = "document_dynamic_form"
    en = "“{name}” is a dynamic form that only Adobe Reader can show. Print it to a new PDF there and send that."
    zh = "“{name}”是只有 Adobe Reader 才能显示的动态表单（XFA），请在其中打印成新的 PDF 后发送。"


class DamagedDocument(DocumentError):
    code = "document_damaged"
    en = "“{name}” is damaged or cut off. Save it again from the program that made it, and send the new file."
    zh = "“{name}”已损坏或不完整，请用原来的程序重新保存后再发送。"


class FileTooLarge(DocumentError):
    code = "document_file_too_large"
    en = f"“{{name}}” is larger than {MAX_FILE_BYTES // 1024 // 1024} MB. Split it, or save it smaller."
    zh = f"“{{name}}”超过 {MAX_FILE_BYTES // 1024 // 1024} MB，请拆分文件或压缩后再发送。"


class TooManyPages(DocumentError):
    code = "document_too_many_pages"
    en = f"“{{name}}” brings the fax to more than {MAX_PAGES} pages. Send it in parts."
    zh = f"加上“{{name}}”，传真超过了 {MAX_PAGES} 页，请分几次发送。"


class PageTooLarge(DocumentError):
    code = "document_page_too_large"
    en = f"“{{name}}” has a page of more than {MAX_PAGE_PIXELS // 1_000_000} million pixels. Save it smaller."
    zh = f"“{{name}}”中有一页超过 {MAX_PAGE_PIXELS // 10_000} 万像素，请缩小后再发送。"


class TooHeavy(DocumentError):
    """The worker reached its limit of time or memory."""

    code = "document_too_heavy"
    en = "“{name}” takes too long or too much memory to draw. Print it to a new PDF, or send it in parts."
    zh = "“{name}”过于复杂，无法在限定的时间和内存内处理，请重新打印成 PDF 或分几次发送。"


class NotDrawable(DocumentError):
    """The worker ended without an answer: a fault of a decoder that this file set off."""

    code = "document_not_drawable"
    en = "“{name}” could not be drawn. Print it to a new PDF and send that."
    zh = "“{name}”无法处理，请将它重新打印成 PDF 后再发送。"


class PageMissing(DocumentError):
    code = "document_page_missing"
    en = "This fax has no page {page}; it has {pages}."
    zh = "这份传真没有第 {page} 页，共 {pages} 页。"


# The errors that a worker may name in its answer; each takes `name` alone.
WORKER_ERRORS: dict[str, type[DocumentError]] = {
    error.code: error
    for error in (
        *(EmptyFile, UnknownKind, PostScriptRefused, ArchiveNotDocument, EncryptedDocument, BlankDocument, OnlyMacros),
        *(DynamicForm, DamagedDocument, TooManyPages, PageTooLarge, TooHeavy),
    )
}
# What drawing can end with.
_DRAWING_ERRORS = WORKER_ERRORS | {error.code: error for error in (FileTooLarge, NotDrawable)}


def read_note(note: str) -> DocumentError | None:
    """The error of which a fax has kept this note; None for any other text."""
    code, _, name = note.partition(" ")
    error = _DRAWING_ERRORS.get(code)
    return error(name=name) if error is not None and name else None
