"""Who looks: the value that every query of a tenant's things takes."""

from dataclasses import dataclass

from netfax.org.models import Role, User


@dataclass(frozen=True)
class Viewer:
    """A signed-in user as the services see him."""

    user_id: int
    tenant_id: int
    role: Role
    login: str
    language: str
    time_zone: str
    area_code: str

    @classmethod
    def of(cls, user: User) -> "Viewer":
        return cls(user.id, user.tenant_id, user.role, user.login, user.language, user.time_zone, user.area_code)
