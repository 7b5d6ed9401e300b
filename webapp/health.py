"""Whether the portal and its database answer: for the supervisor and for a load balancer."""

import structlog
from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from netfax.db import reading

blueprint = Blueprint("health", __name__)
log = structlog.get_logger()


@blueprint.get("/healthz")
def healthz() -> tuple[Response, int]:
    """200 when pages can be served, 503 when the database does not answer; writes nothing."""
    try:
        with reading() as uow:
            uow.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        log.error("portal.database_unreachable", error=str(error))
        return jsonify(status="database unreachable"), 503
    return jsonify(status="ok"), 200
