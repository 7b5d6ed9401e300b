"""`netfax verify | trace | alarm`: what an operator asks of the whole system."""

import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from cli.fax_commands import json_option
from cli.gateway import live_channels
from cli.installation import on_installation
from cli.output import as_json, console, harmless, language, listing, say, table
from cli.timeline import print_trace
from netfax import alarms
from netfax.db import reading, unit_of_work
from netfax.errors import UserError
from netfax.faxes.trace import trace as trace_fax
from netfax.monitor.verify.run import Breach, Checked, Mended, repair, verify
from netfax.settings import settings

# Breaches of one kind that are named to people; JSON has all.
SHOWN = 5


class NoSuchAlarm(UserError):
    code = "no_such_alarm"
    en = "No alarm {text!r} is open; `netfax alarm list` shows the open ones."
    zh = "没有编号为 {text!r} 的未处理告警；用 `netfax alarm list` 查看。"


@click.command("verify")
@click.option("--repair", "repair_wanted", is_flag=True, help="Mend what can be mended without losing anything.")
@json_option
@on_installation
def verify_command(repair_wanted: bool, json_wanted: bool) -> None:
    """Hold the running system against what must always hold; it reads every stored file.

    Exit code 1 when something does not hold, 2 when the gateway could not be asked for all of it.
    """
    checked = verify(live_channels(settings()))
    mended = repair(checked) if repair_wanted else []
    if mended:
        checked = verify(live_channels(settings()))
    if json_wanted:
        as_json({"holds": _holds(checked), "checks": [_row(each) for each in checked], "mended": _mended_rows(mended)})
    else:
        _print_mended(mended)
        _print_checked(checked)
    sys.exit(_exit_code(checked))


@click.command()
@click.argument("fax", metavar="ID")
@json_option
@on_installation
def trace(fax: str, json_wanted: bool) -> None:
    """The whole history of one fax: ID is its running number, or the id of its item, delivery, call or reception."""
    with reading() as uow:
        history = trace_fax(uow, fax)
    if json_wanted:
        as_json(asdict(history))
    else:
        print_trace(history)


@click.group()
def alarm() -> None:
    """Alarms (告警): what somebody must look at."""


@alarm.command("list")
@json_option
@on_installation
def alarm_list(json_wanted: bool) -> None:
    """Every alarm that nobody has cleared."""
    with reading() as uow:
        rows: list[dict[str, object]] = [
            {
                "number": each.id,
                "code": each.code,
                "title": alarms.title(each.code, language()),
                "subject": each.subject,
                "text": each.said(language()),
                "raised_at": each.raised_at,
            }
            for each in alarms.open_alarms(uow)
        ]
    empty = say("No alarm is open.", "没有未处理的告警。")
    columns = ("number", "raised_at", "title", "subject", "text")
    listing(columns, rows, json_wanted=json_wanted, empty=empty, headings_zh={"title": "告警"})


@alarm.command("clear")
@click.argument("number", metavar="ID")
@on_installation
def alarm_clear(number: str) -> None:
    """Put an alarm away that you have seen to; ID is its number in the list."""
    with unit_of_work() as uow:
        if not (number.isascii() and number.isdecimal() and len(number) < 10 and alarms.put_away(uow, int(number))):
            raise NoSuchAlarm(text=number[:40])
    console.print(say(f"Alarm {number} is cleared.", f"告警 {number} 已处理。"), markup=False)


# --- What verify says ---


def _holds(checked: Sequence[Checked]) -> bool:
    return all(_state(each) in ("holds", "not built") for each in checked)


def _exit_code(checked: Sequence[Checked]) -> int:
    if any(each.breaches for each in checked):
        return 1
    return 0 if _holds(checked) else 2


def _state(checked: Checked) -> str:
    if not checked.built:
        return "not built"
    if checked.breaches:
        return "breached"
    return "not asked" if checked.unasked else "holds"


def _row(checked: Checked) -> dict[str, object]:
    return {
        "promise": checked.promise.code,
        "sentence": checked.promise.sentence.text(language()),
        "state": _state(checked),
        "looked_at": checked.looked_at,
        "breaches": [_breach_row(each) for each in checked.breaches],
        "not_asked": [rule.code for rule in checked.unasked],
    }


def _breach_row(breach: Breach) -> dict[str, object]:
    return {
        "rule": breach.rule.code,
        "text": breach.rule.wrong.text(language()),
        "id": breach.subject,
        "detail": breach.detail,
    }


def _mended_rows(mended: Sequence[Mended]) -> list[dict[str, object]]:
    return [{"promise": each.promise.code, **_breach_row(each.breach), "done": _done(each)} for each in mended]


def _done(mended: Mended) -> str:
    return mended.breach.rule.mended.text(language()) if mended.breach.rule.mended else ""


def _print_mended(mended: Sequence[Mended]) -> None:
    for each in mended:
        words = each.breach.rule.wrong.text(language())
        line = f"{each.promise.code}: {words}: {each.breach.subject} → {_done(each)}"
        console.print(harmless(line), markup=False)


def _print_checked(checked: Sequence[Checked]) -> None:
    words = {"holds": "符合", "breached": "不符", "not asked": "未查", "not built": "未实现"}
    rows = [
        (
            each.promise.code,
            say(_state(each), words[_state(each)]),
            each.looked_at if each.built else "",
            len(each.breaches) if each.built else "",
            each.promise.sentence.text(language()),
        )
        for each in checked
    ]
    english = ("promise", "state", "looked at", "breaches", "")
    table(english if language() == "en" else ("承诺", "状态", "检查数", "不符数", ""), rows, "")
    for each in checked:
        for line in _breach_lines(each):
            console.print(harmless(line), markup=False)


def _breach_lines(checked: Checked) -> list[str]:
    """One line for each kind of breach, with the first few ids; and what could not be looked for."""
    lines = []
    for rule in dict.fromkeys(breach.rule for breach in checked.breaches):
        ids = [
            f"{breach.subject} ({breach.detail})" if breach.detail else breach.subject
            for breach in checked.breaches
            if breach.rule is rule
        ]
        more = say(f" and {len(ids) - SHOWN} more", f" 等 {len(ids)} 个") if len(ids) > SHOWN else ""
        lines.append(f"{checked.promise.code}: {rule.wrong.text(language())}: {', '.join(ids[:SHOWN])}{more}")
    for rule in checked.unasked:
        unasked = say("the gateway does not answer, so nobody looked for", "网关没有应答，未检查")
        lines.append(f"{checked.promise.code}: {unasked}: {rule.wrong.text(language())}")
    return lines
