"""Password hashes (Argon2id); a hash costs about 0.1 s, so that only a few run at once."""

from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
# Each takes 64 MiB; more sign-ins at once wait their turn.
_at_once = BoundedSemaphore(2)
# Verified when there is no such user, so that the time taken does not tell.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5bm9ib2R5bm9i$+yHC3NnGuvEVaYgwt2JhqIaIWoRnDzzO6gqDDKWiYz8"


def hash_password(password: str) -> str:
    with _at_once:
        return _hasher.hash(password)


def password_matches(password: str, stored: str | None) -> bool:
    """Whether the password is the stored hash's; takes as long when there is none."""
    with _at_once:
        try:
            return _hasher.verify(stored or _NOBODY, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False
