"""The operator's view of the gateway: apply the trunks of the database, and see who is registered."""

import asyncio
import time

from ami_bridge.client import ActionRefused, AmiClient, AmiError, AmiEvent
from netfax import telephony
from netfax.db import reading
from netfax.lines.service import list_trunks
from netfax.queue import Job, send
from netfax.settings import Settings

APPLY_SECONDS = 15
ASK_SECONDS = 3


def apply_gateway(settings: Settings) -> str:
    """Have the running gateway take the trunks of the database; a sentence that says whether it did."""
    with reading() as uow:
        wanted = {trunk.name for trunk in list_trunks(uow, settings.gateway) if trunk.enabled}
    if send(Job.RELOAD_GATEWAY, settings.gateway):
        deadline = time.monotonic() + APPLY_SECONDS
        while time.monotonic() < deadline:
            if wanted <= set(registrations(settings)):
                return "Saved, and the running gateway has taken it."
            time.sleep(0.5)
    return "Saved; the gateway does not answer and takes it at its next start."


def registrations(settings: Settings) -> dict[str, str]:
    """What the gateway says of each trunk: its registered address, or whether it can be reached; empty without it."""
    try:
        return asyncio.run(_ask(settings))
    except (AmiError, TimeoutError):
        return {}


async def _ask(settings: Settings) -> dict[str, str]:
    async def ignore(_event: AmiEvent) -> None:
        return None

    client = AmiClient(
        host="127.0.0.1",
        port=settings.port("gateway_ami"),
        username=telephony.AMI_USER_BRIDGE,
        secret=settings.secret("ami_bridge"),
        on_event=ignore,
    )
    running = asyncio.create_task(client.run())
    try:
        await client.wait_connected(ASK_SECONDS)
        return await _sip_contacts(client) | await _iax_peers(client)
    finally:
        await client.close()
        await running


async def _sip_contacts(client: AmiClient) -> dict[str, str]:
    try:
        contacts = await client.list_action("PJSIPShowContacts", complete="ContactListComplete")
    except ActionRefused:
        # Asterisk refuses the list when it is empty.
        return {}
    return {contact.get("Endpoint") or contact["ObjectName"].partition(";")[0]: _reach(contact) for contact in contacts}


def _reach(contact: AmiEvent) -> str:
    return "reachable" if contact.get("Status") == "Reachable" else (contact.get("Status") or "").lower()


async def _iax_peers(client: AmiClient) -> dict[str, str]:
    peers = await client.list_action("IAXpeerlist", complete="PeerlistComplete")
    return {peer["ObjectName"]: _registered(peer) for peer in peers}


def _registered(peer: AmiEvent) -> str:
    address = peer.get("IPaddress") or ""
    return f"{address}:{peer.get('IPport')}" if address and not address.startswith(("-", "(")) else "not registered"
