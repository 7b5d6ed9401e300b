"""Personal information (个人信息, R6.1): what a user says of himself, and his covers of him."""

from collections.abc import Mapping

from netfax.db import UnitOfWork
from netfax.errors import UserError
from netfax.org.models import User
from netfax.org.viewer import Viewer

# The fields that are his to change, and how many characters each keeps; none of the others is.
LONGEST: Mapping[str, int] = {
    "surname": 64,
    "given_name": 64,
    "company": 128,
    "position": 64,
    "address": 256,
    "postcode": 16,
    "telephone": 64,
    "mobile": 64,
    "fax_text": 64,
}


class PersonalTextRefused(UserError):
    code = "personal_text"
    en = "This takes at most {limit} characters, on one line."
    zh = "该项最多 {limit} 个字符，且不能换行。"


class PersonalRefused(UserError):
    """Fields that can't be kept; `problems` names each with its error."""

    code = "personal_refused"
    en = zh = "{sentences}"

    def __init__(self, problems: Mapping[str, UserError]) -> None:
        self.problems = problems
        super().__init__(sentences=" ".join(error.text("en") for error in problems.values()))


def personal(uow: UnitOfWork, viewer: Viewer) -> dict[str, str]:
    """The viewer's own fields, by name."""
    user = uow.session.get_one(User, viewer.user_id)
    return {name: getattr(user, name) for name in LONGEST}


def set_personal(uow: UnitOfWork, viewer: Viewer, fields: Mapping[str, str]) -> None:
    """Change these of the viewer's own fields; `PersonalRefused` when one can't be kept, and then none is changed."""
    problems = {
        name: PersonalTextRefused(limit=LONGEST[name])
        for name, text in fields.items()
        if len(text.strip()) > LONGEST[name] or not text.strip().isprintable()
    }
    if problems:
        raise PersonalRefused(problems)
    user = uow.session.get_one(User, viewer.user_id)
    for name, text in fields.items():
        setattr(user, name, text.strip())
