"""How commands speak: tables for people, JSON for programs, one sentence for what can't be done."""

import json
import locale
import os
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from netfax.errors import NetFaxError, UserError

P = ParamSpec("P")
T = TypeVar("T")

# Every column as wide as what stands in it: a terminal breaks a line that is too long for it, and loses nothing.
console = Console(highlight=False, soft_wrap=True, width=10_000)


def language() -> str:
    """The terminal's language, `zh` or `en`."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if (locale.normalize(name) or name).startswith("zh") else "en"


def say(english: str, chinese: str) -> str:
    """The one that is in the terminal's language."""
    return chinese if language() == "zh" else english


def refuses_clearly(command: Callable[P, T]) -> Callable[P, T]:
    """An error becomes its sentence on standard error, without a traceback.

    The exit code is 2 when something else must be asked for, 1 when it is the system that could not do it.
    """

    @wraps(command)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return command(*arguments, **options)
        except NetFaxError as error:
            click.echo(harmless(error.text(language())), err=True)
            sys.exit(2 if isinstance(error, UserError) else 1)
        except SQLAlchemyError as error:
            click.echo(harmless(_database_error(error)), err=True)
            sys.exit(1)
        except ValidationError as error:
            click.echo(harmless(_setting_error(error)), err=True)
            sys.exit(2)
        except UnicodeError:
            click.echo(
                say("What you typed is no UTF-8; type it again.", "输入内容不是 UTF-8 编码，请重新输入。"), err=True
            )
            sys.exit(2)
        except BrokenPipeError:
            raise  # nobody reads on, which click takes for the end it is
        except OSError as error:
            click.echo(harmless(_system_error(error)), err=True)
            sys.exit(1)

    return wrapped


def _database_error(error: SQLAlchemyError) -> str:
    # Of a driver's error its first line: the statement, and what it was given, are not for people.
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    why = str(cause).strip().partition("\n")[0] or type(cause).__name__
    return say(f"The database can't be used: {why}.", f"数据库无法使用：{why}。")


def _setting_error(error: ValidationError) -> str:
    names = ", ".join(f"NETFAX_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
    return say(f"A setting can't be: {names}.", f"设置无效：{names}。")


def _system_error(error: OSError) -> str:
    what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    return say(f"The system refuses: {what}.", f"系统拒绝操作：{what}。")


def as_json(value: Any) -> None:
    """Print one JSON value; times in ISO 8601 with their zone, what could command a terminal as escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=1, default=_jsonable)
    click.echo("".join(json.dumps(each)[1:-1] if each != "\n" and _commands(each) else each for each in text))


def harmless(text: str) -> str:
    """The text with U+FFFD for what could command a terminal, break its line or turn its direction."""
    return "".join("\ufffd" if _commands(character) else character for character in text)


def _commands(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def mode_words(mode: str) -> str:
    """How a call carried its fax: T.38 or audio."""
    return "T.38" if mode.upper() == "T38" else say("audio (G.711)", "音频（G.711）")


def joined(*parts: str) -> str:
    """Parts of one sentence in a row."""
    return say(", ", "，").join(part for part in parts if part)


def line_words(rate: int, mode: str) -> str:
    """How fast and in which way a call carries its fax; empty before that is known."""
    return joined(f"{rate} bit/s", mode_words(mode)) if rate else ""


def page_words(page: int, pages: int) -> str:
    """Which page is on the line; empty before the first."""
    return say(f"page {page} of {pages}", f"第 {page} 页，共 {pages} 页") if page else ""


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print rows under their columns, or the sentence that says what to do when there are none."""
    if not rows:
        console.print(empty, markup=False)
        return
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, no_wrap=True)
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    console.print(grid)


def listing(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, object]],
    *,
    json_wanted: bool,
    empty: str,
    headings_zh: Mapping[str, str] | None = None,
) -> None:
    """Print rows as JSON, or the named columns of them as a table: a column has the name of its JSON key.

    Of a key with words of its own in the terminal's language (`state` and `state_text`) the table shows those.
    `headings_zh` are the Chinese names of columns that mean something else here.
    """
    if json_wanted:
        as_json(list(rows))
    else:
        shown = [[row.get(f"{column}_text", row[column]) for column in columns] for row in rows]
        table([heading(column, headings_zh) for column in columns], shown, empty)


# The terms are the manual's.
_HEADINGS_ZH = {
    "busy": "占用",
    "bytes": "字节",
    "called": "被叫号码",
    "caller": "主叫号码",
    "cause": "原因",
    "channels": "通道数",
    "default": "默认值",
    "delivery": "发送编号",
    "detail": "说明",
    "ended_at": "结束时间",
    "found": "匹配内容",
    "found_page": "匹配页",
    "from": "来自",
    "host": "主机",
    "kind": "类型",
    "login": "用户",
    "mode": "方式",
    "name": "名称",
    "next_try_at": "下次呼叫",
    "number": "编号",
    "numbers": "传真号码",
    "owner": "所有者",
    "pages": "页数",
    "pages_confirmed": "已确认页数",
    "pid": "进程号",
    "port": "端口",
    "prefix": "号码前缀",
    "progress": "进度",
    "pss_mb": "内存 (MB)",
    "raised_at": "发生时间",
    "rate": "速率",
    "received_at": "接收时间",
    "recipient": "收件人",
    "registered": "注册",
    "restarts": "重启次数",
    "role": "角色",
    "service": "服务",
    "since": "开始时间",
    "started": "启动时间",
    "state": "状态",
    "station_id": "对方标识",
    "subject": "对象",
    "t38": "T.38",
    "text": "说明",
    "title": "标题",
    "to": "收件号码",
    "tries": "重试",
    "trunk": "线路",
    "unit": "单位",
    "uuid": "传真编号",
    "value": "值",
}
_HEADINGS_EN = {"pss_mb": "PSS MB"}


def heading(column: str, headings_zh: Mapping[str, str] | None = None) -> str:
    """The name of a column in the terminal's language."""
    return say(_HEADINGS_EN.get(column, column.replace("_", " ")), (_HEADINGS_ZH | dict(headings_zh or {}))[column])


def local_time(at: datetime | None) -> str:
    """An exact time as lists show it, in the terminal's zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _cell(value: object) -> Any:
    text = local_time(value) if isinstance(value, datetime) else "" if value is None else str(value)
    # Text from outside is text, never markup.
    return Text(harmless(text))


def _jsonable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
