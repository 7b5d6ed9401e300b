"""The Asterisk modules that are loaded, and why; nothing else is, which halves the memory of an idle Asterisk."""

_CALLS = (
    "pbx_config",
    "res_timing_timerfd",
    "codec_alaw",
    "codec_ulaw",
    "bridge_simple",
    "bridge_builtin_features",
)
_SIP = (
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_pubsub",
    "res_pjsip_session",
    "res_pjsip_sdp_rtp",
    "res_pjsip_t38",
    "res_pjsip_caller_id",
    "res_pjsip_rfc3326",
    "res_pjsip_endpoint_identifier_ip",
    # No trunk of ours asks for it; without it Asterisk takes requests of strangers for authenticated.
    "res_pjsip_authenticator_digest",
    "res_rtp_asterisk",
    "chan_pjsip",
)
_FAX = ("res_fax", "res_fax_spandsp")
_FUNCTIONS = (
    "func_base64",
    "func_callerid",
    "func_cdr",
    "func_channel",
    "func_env",
    "func_logic",
    "func_strings",
)
_RECORDS = ("res_cdrel_custom", "cel_custom")

GATEWAY_MODULES = (
    *_CALLS,
    *_SIP,
    "res_pjsip_outbound_authenticator_digest",
    "res_pjsip_outbound_registration",
    # What the bridge asks by Getvar to tell whether a SIP trunk answers.
    "func_pjsip_aor",
    "func_pjsip_contact",
    "chan_iax2",
    *_FAX,
    *_FUNCTIONS,
    "func_timeout",
    "func_uuid",
    "app_senddtmf",
    "res_speech",
    "res_agi",
    *_RECORDS,
)

NETWORK_MODULES = (
    *_CALLS,
    *_SIP,
    *_FAX,
    *_FUNCTIONS,
    # The behaviours of its subscribers: a voice, a switchboard, a call that is cut, calls that are counted.
    "app_originate",
    "app_playback",
    "app_playtones",
    "app_read",
    "app_softhangup",
    "codec_gsm",
    "format_gsm",
    "func_global",
    *_RECORDS,
)
