"""A portal under test: Flask's client on a database of its own, and people who sign in."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from PIL import Image
from werkzeug.test import TestResponse

from netfax.db import now, reading, unit_of_work
from netfax.faxes.models import Direction, MailboxItem, Reception
from netfax.faxes.states import ReceptionState
from netfax.org.models import User
from netfax.org.viewer import Viewer
from netfax.settings import settings
from netfax.storage.disk import store_file
from netfax.storage.service import FAX_TIFF, add_blob
from webapp.assets import BUILT, NEEDED, Built
from webapp.factory import create_app

PASSWORD = "right horse"


def make_built(folder: Path) -> Built:
    """What the build would make, with empty files: the portal's pages need their names alone."""
    dist, translations = folder / "dist", folder / "translations"
    dist.mkdir(parents=True)
    names = {name: name.replace(".", "-0123456789ab.") for name in NEEDED}
    for hashed in names.values():
        (dist / hashed).write_bytes(b"/* */")
    (dist / "manifest.json").write_text(json.dumps(names))
    source = BUILT.translations / "zh_Hans" / "LC_MESSAGES" / "messages.po"
    target = translations / "zh_Hans" / "LC_MESSAGES"
    target.mkdir(parents=True)
    with source.open("rb") as reader, (target / "messages.mo").open("wb") as writer:
        write_mo(writer, read_po(reader))
    return Built(dist, translations)


@dataclass
class Portal:
    """A browser without a screen."""

    client: FlaskClient

    def get(self, path: str, **arguments: Any) -> TestResponse:
        return self.client.get(path, **arguments)

    def token(self, path: str) -> str:
        """The CSRF token of the form on a page."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)
        assert found, f"no form on {path}"
        return found[1]

    def post(self, path: str, form: dict[str, object], *, page: str = "", **arguments: Any) -> TestResponse:
        """Send a form as the page that holds it would."""
        data = {"csrf_token": self.token(page or path), **form}
        return self.client.post(path, data=data, **arguments)

    def sign_in(self, login: str, password: str = PASSWORD) -> TestResponse:
        return self.post("/signin", {"login": login, "password": password})


def in_form(page: str, action: str) -> list[dict[str, str]]:
    """The hidden fields of each form on a page that goes to an address."""
    forms = re.findall(rf'<form [^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.DOTALL)
    return [dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)) for form in forms]


def open_portal(built: Built, **changes: Any) -> Portal:
    """A portal, its settings changed as told."""
    app = create_app(settings().model_copy(update=changes), built)
    app.testing = True
    app.jinja_env.bytecode_cache = _TEMPLATES
    return Portal(app.test_client())


class Compiled(BytecodeCache):
    """Compiled templates in memory: one portal compiles them for those of the next tests."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._code.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_TEMPLATES = Compiled()


def let_in(viewer: Viewer, *, language: str = "en") -> None:
    """Give a user a password that is known here, and a language."""
    with unit_of_work() as uow:
        user = uow.session.get_one(User, viewer.user_id)
        user.password_hash = _HASH
        user.language = language


# The hash holds its own cost: the least there is, for a usual one takes 0.1 s at each sign-in.
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def receive(viewer: Viewer, folder: Path, *, caller: str = "862082313524", station_id: str = "", pages: int = 1) -> str:
    """A fax in the viewer's inbox; its public id."""
    file = folder / "received.tif"
    sheets = [Image.new("1", (1728, 2000 + number), 1) for number in range(pages)]
    sheets[0].save(file, "TIFF", save_all=True, append_images=sheets[1:], compression="group4", dpi=(204, 196))
    stored = store_file(file)
    with unit_of_work() as uow:
        blob = add_blob(uow, stored, tenant_id=viewer.tenant_id, media_type=FAX_TIFF)
        count = uow.session.query(Reception).count()
        reception = Reception(
            id=f"reception-{count}",
            gateway="gw1",
            tenant_id=viewer.tenant_id,
            user_id=viewer.user_id,
            caller=caller,
            called="867367804001",
            remote_station_id=station_id,
            state=ReceptionState.RECEIVED,
            pages=pages,
            pages_confirmed=pages,
            blob_id=blob.id,
            ended_at=now(),
        )
        uow.session.add(reception)
        uow.session.flush()
        item = MailboxItem(
            tenant_id=viewer.tenant_id, user_id=viewer.user_id, direction=Direction.IN, reception_id=reception.id
        )
        uow.session.add(item)
        uow.session.flush()
        return item.uuid


def item_of(delivery_uuid: str) -> str:
    """The public id under which a delivery stands in lists."""
    with reading() as uow:
        item = uow.session.query(MailboxItem).filter(MailboxItem.delivery.has(uuid=delivery_uuid)).one()
        return item.uuid
