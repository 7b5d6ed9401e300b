"""`netfax cover`."""

import click
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from cli.fax_commands import json_option
from cli.installation import on_installation
from cli.output import language, listing
from netfax.covers.builtin import BUILT_IN
from netfax.covers.models import CoverTemplate
from netfax.db import reading

HEADINGS_ZH = {"key": "标识", "domain": "域", "built_in": "内置", "enabled": "启用"}


@click.group()
def cover() -> None:
    """Covers (封面)."""


@cover.command("list")
@json_option
@on_installation
def cover_list(json_wanted: bool) -> None:
    """Every cover: those that come with NetFax, and those that administrators have made for their domains."""
    rows: list[dict[str, object]] = [
        {
            "key": each.key,
            "name": each.text(language()),
            "domain": "",
            "built_in": True,
            "enabled": True,
            "changed_by": None,
            "changed_at": None,
        }
        for each in BUILT_IN.values()
    ]
    with reading() as uow:
        query = select(CoverTemplate).options(joinedload(CoverTemplate.tenant))
        rows += [
            {
                "key": each.uuid,
                "name": each.name,
                "domain": each.tenant.name,
                "built_in": False,
                "enabled": each.enabled,
                "changed_by": each.changed_by,
                "changed_at": each.changed_at,
            }
            for each in uow.session.scalars(query.order_by(CoverTemplate.name, CoverTemplate.id))
        ]
    listing(
        ("key", "name", "domain", "built_in", "enabled"),
        rows,
        json_wanted=json_wanted,
        empty="",
        headings_zh=HEADINGS_ZH,
    )
