"""The operator's view of the gateway: apply the trunks of the database, and see who is registered."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ami_bridge.client import ActionRefused, AmiClient, AmiEvent, ConnectionLost, NotConnected
from cli.output import say
from netfax import telephony
from netfax.db import reading
from netfax.lines.models import TrunkKind
from netfax.lines.service import list_trunks
from netfax.queue import Job, send
from netfax.settings import Settings

APPLY_SECONDS = 15
ASK_SECONDS = 3
# Asterisk's words for what its OPTIONS requests found.
SIP_STATES = {"Reachable": "reachable", "Unreachable": "unreachable", "NonQualified": "not asked yet"}
# What is said of a trunk, for people who read Chinese.
REGISTERED_ZH = {
    "reachable": "可达",
    "unreachable": "不可达",
    "not asked yet": "尚未探测",
    "configured": "已配置",
    "not registered": "未注册",
    "no": "否",
    "gateway does not answer": "网关没有应答",
}


def apply_gateway(settings: Settings, removed: Sequence[str] = ()) -> str:
    """Have the running gateway take the trunks of the database; a sentence that says whether it did.

    `removed` are the names of SIP trunks that it must know no more.
    """
    if not send(Job.RELOAD_GATEWAY, settings.gateway):
        return say(
            "Saved; the job queue (Redis) does not answer, so the gateway takes it a little later, by itself.",
            "已保存；任务队列（Redis）没有应答，网关稍后会自动生效。",
        )
    answered = False
    deadline = time.monotonic() + APPLY_SECONDS
    while time.monotonic() < deadline:
        known = registrations(settings, removed)
        answered = answered or known is not None
        with reading() as uow:
            # Read anew each time: another operator may be changing them too.
            wanted = {trunk.name for trunk in list_trunks(uow, settings.gateway)}
        if known is not None and wanted <= set(known) and set(known).isdisjoint(removed):
            return say("Saved, and the running gateway has taken it.", "已保存，运行中的网关已生效。")
        time.sleep(0.5)
    if answered:
        return say(
            f"Saved; the gateway runs and has not taken it within {APPLY_SECONDS} s: see `netfax status` and the "
            "bridge's log. It takes it at its next start.",
            f"已保存；网关在运行，但 {APPLY_SECONDS} 秒内没有生效：请用 `netfax status` 和外拨桥日志查看原因。"
            "下次启动时生效。",
        )
    return say(
        "Saved; the gateway does not answer and takes it at its next start.", "已保存；网关没有应答，下次启动时生效。"
    )


def registrations(settings: Settings, also: Sequence[str] = ()) -> dict[str, str] | None:
    """What the gateway says of each trunk: its registered address, or whether it can be reached; None without it.

    Asterisk is asked for the SIP trunks of the database, and of `also`, by name.
    """
    try:
        return asyncio.run(_ask(settings, also))
    except (NotConnected, ConnectionLost, TimeoutError):
        return None


async def _ask(settings: Settings, also: Sequence[str]) -> dict[str, str]:
    with reading() as uow:
        trunks = list_trunks(uow, settings.gateway)
    sip_trunks = [trunk.name for trunk in trunks if trunk.kind is TrunkKind.SIP] + list(also)
    async with _connected(settings) as client:
        return await _sip_contacts(client, sip_trunks) | await _iax_peers(client)


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[AmiClient]:
    """The gateway's Asterisk for some questions; NotConnected when it does not answer within 3 s."""

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
        yield client
    finally:
        await client.close()
        await running


def live_channels(settings: Settings) -> frozenset[str] | None:
    """The unique ids of the gateway's channels now; None when its Asterisk can't be asked."""
    try:
        return asyncio.run(_ask_channels(settings))
    except (ActionRefused, NotConnected, ConnectionLost, TimeoutError):
        return None


async def _ask_channels(settings: Settings) -> frozenset[str]:
    async with _connected(settings) as client:
        channels = await client.list_action("CoreShowChannels", complete="CoreShowChannelsComplete")
        return frozenset(channel.one("Uniqueid") or "" for channel in channels)


async def _sip_contacts(client: AmiClient, trunks: list[str]) -> dict[str, str]:
    """By functions of the dialplan: the list of contacts is of a class that the bridge's user does not have."""
    states = {}
    for name in trunks:
        contact = await _value(client, f"PJSIP_AOR({name},contact)")
        if contact:
            status = await _value(client, f"PJSIP_CONTACT({contact.partition(',')[0]},status)")
            states[name] = SIP_STATES.get(status, status.lower() or "configured")
    return states


async def _value(client: AmiClient, function: str) -> str:
    try:
        return (await client.action("Getvar", {"Variable": function})).get("Value")
    except ActionRefused:
        return ""


async def _iax_peers(client: AmiClient) -> dict[str, str]:
    peers = await client.list_action("IAXpeerlist", complete="PeerlistComplete")
    return {peer["ObjectName"]: _registered(peer) for peer in peers}


def _registered(peer: AmiEvent) -> str:
    address = peer.get("IPaddress") or ""
    return f"{address}:{peer.get('IPport')}" if address and not address.startswith(("-", "(")) else "not registered"
