"""Bodies that no well-behaved sender would send, by name. SECRET stands where a secret is echoed."""

from typing import Final
from urllib.parse import quote

SECRET: Final = "canary-5d0c9a41e7b2f386"
#: A credential of somebody else, which nothing but its name gives away.
OTHER: Final = "others-canary-1b86e0f4"
_GOOD: Final = b'"type":"ENTRY","signal_id":"h","entry_price":1'


def _escaped(text: str) -> bytes:
    return b"".join(b"\\u%04x" % ord(character) for character in text)


def _percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def disguises(secret: str) -> dict[str, bytes]:
    """Every way in which a body can spell a text, as JSON text between quotation marks."""
    escaped = _escaped(secret)
    return {
        "plain": secret.encode(),
        "escaped": escaped,
        "half_escaped": secret[:5].encode() + _escaped(secret[5:]),
        "json_in_json": escaped.replace(b"\\", b"\\\\"),
        "json_in_json_in_json": escaped.replace(b"\\", b"\\" * 4),
        "percent": _percent(secret).encode(),
        "percent_upper": _percent(secret).upper().encode(),
        "percent_twice": quote(_percent(secret)).encode(),
        "percent_some": (secret[:3] + _percent(secret[3:])).encode(),
        "percent_escaped": _percent(secret).replace("%", "\\u0025").encode(),
        "backslash_escaped": escaped.replace(b"\\", b"\\u005c"),
        "entities": "".join(f"&#{ord(one)};" for one in secret).encode(),
        "entities_hex": "".join(f"&#x{ord(one):X};" for one in secret).encode(),
        "entities_twice": "".join(f"&amp;#{ord(one)};" for one in secret).encode(),
        "in_an_address": f"https://example.com/a?b={quote(secret)}&c=1".encode(),
        "in_json_text": b'{\\"deep\\": \\"' + secret.encode() + b'\\"}',
    }


#: Bodies around a disguised echo: one that is read, one that is refused, and two that nobody can read.
_AROUND: Final = {
    "read": b'{%s,"note":"x %%s y"}' % _GOOD,
    "in_a_name": b'{%s,"%%s":1}' % _GOOD,
    "refused": b'{"type":"ENTRY","signal_id":"h9","entry_price":"x","note":["%s"]}',
    "broken": b'{"note":"%s", oops',
    "repeated": b'{"a":1,"a":2,"note":"%s"}',
}


def echoes(secret: str) -> dict[str, bytes]:
    """A disguised text in bodies of every fate."""
    return {
        f"{fate}_{name}": around % spelt
        for name, spelt in disguises(secret).items()
        for fate, around in _AROUND.items()
    }


_NAMES: Final = ("secret", "passphrase", "password", "token", "key", "apikey", "api_key", "email_token", "Email-Token")
_FIELDS: Final = ",".join(f'"{name}":"{OTHER}"' for name in _NAMES)
_ESCAPED_FIELDS: Final = ",".join(f'"{_escaped(name).decode()}":"{OTHER}"' for name in _NAMES)
_DEEP: Final = f'"strategy":{{"secret":"{OTHER}","a":[{{"password":"{OTHER}"}}]}}'
_ORDER: Final = '"ticker":"NQ1!","action":"buy","time":"2025-11-20T14:30:00Z"'

#: Credentials of others, in every dialect, at every depth, in bodies that are read, refused and broken.
CREDENTIALS: Final[dict[str, bytes]] = {
    name: body.encode()
    for name, body in {
        "order": f"{{{_ORDER},{_FIELDS}}}",
        "order_deep": f'{{{_ORDER},"a":[{{"b":{{{_FIELDS}}}}}]}}',
        "order_in_text": f'{{{_ORDER},"a":"{{{_FIELDS}}}"}}'.replace(
            f"{{{_FIELDS}}}", f"{{{_FIELDS}}}".replace('"', '\\"')
        ),
        "nested": f'{{"ticker":"NQ1!","strategy":{{"order_action":"buy",{_FIELDS}}},"bar":{{{_FIELDS}}}}}',
        "traderspost": f'{{"ticker":"A","action":"exit","extras":{{{_FIELDS}}},"takeProfit":{{{_FIELDS}}}}}',
        "threecommas": f'{{"tv_instrument":"A","action":"buy","order":{{{_FIELDS}}},{_FIELDS}}}',
        "line": f"{OTHER},buy,EURUSD,secret={OTHER},api_key={OTHER},token={OTHER}",
        "line_wrong": f"{OTHER},whatever,EURUSD,passphrase={OTHER}",
        "line_short": f"{OTHER},buy",
        "line_twice": f"{OTHER},buy,EURUSD\n{OTHER},sell,EURUSD,key={OTHER}",
        "escaped_names": f"{{{_ORDER},{_ESCAPED_FIELDS}}}",
        "escaped_names_broken": f"{{{_ORDER},{_ESCAPED_FIELDS}",
        "broken": f'{{{_ORDER},"a":{{{_FIELDS}}},oops',
        "broken_values": f'{{"token":{{"x":["{OTHER}"]}},"key":["{OTHER}"],"secret":"{OTHER}',
        "single_quotes": f"{{'secret': '{OTHER}', key: {OTHER}}}",
        "refused": f'{{"type":"ENTRY","signal_id":"a,b","x":{{{_FIELDS}}}}}',
        "telemetry": f'{{"schema_version":"1.0.0",{_GOOD.decode()},{_DEEP}}}',
        "batch": f'{{"event_type":"MFE_UPDATE_BATCH","signals":[{{"trade_id":"b",{_FIELDS}}},{{{_FIELDS}}}]}}',
        "form": "&".join(f"{name}={OTHER}" for name in _NAMES),
    }.items()
}
CREDENTIALS["utf16"] = CREDENTIALS["order"].decode().encode("utf-16")
CREDENTIALS["utf16_escaped"] = CREDENTIALS["escaped_names"].decode().encode("utf-16-be")


HOSTILE: Final[dict[str, bytes]] = {
    **echoes(SECRET),
    **CREDENTIALS,
    "telemetry_secret_inside": b'{"schema_version":"1.0.0",%s,"strategy":{"secret":"%s"}}' % (_GOOD, SECRET.encode()),
    "utf16_escaped": ('{"note":"' + _escaped(SECRET).decode() + '"}').encode("utf-16"),
    "javascript": b"{note: '%s'}" % b"".join(b"\\x%02x" % ord(one) for one in SECRET),
    "code_points": b"{note: '%s'}" % b"".join(b"\\u{%x}" % ord(one) for one in SECRET),
    "echo": b'{%s,"note":"a %s b"}' % (_GOOD, SECRET.encode()),
    "echo_in_key": b'{%s,"%s":1}' % (_GOOD, SECRET.encode()),
    "echo_escaped": b'{%s,"note":"%s"}' % (_GOOD, _escaped(SECRET)),
    "echo_nested": b'{%s,"targets":{"x":[{"y":"%s"}]}}' % (_GOOD, SECRET.encode()),
    "echo_in_id": b'{"type":"ENTRY","signal_id":"%s","entry_price":1}' % SECRET.encode(),
    "echo_in_strategy": b'{%s,"strategy_id":"%s"}' % (_GOOD, SECRET.encode()),
    "echo_unreadable": b'{%s,"note":%s' % (_GOOD, SECRET.encode()),
    "echo_unreadable_escaped": b'{"note": "%s" oops' % _escaped(SECRET),
    "echo_utf16": ('{"note":"' + SECRET + '"}').encode("utf-16"),
    "echo_in_key_past_limits": b'{%s,"a":{"%s":1e999}}' % (_GOOD, SECRET.encode()),
    "echo_in_key_past_limits_escaped": b'{"%s":1e999}' % _escaped(SECRET),
    "echo_in_key_past_limits_cut": b'{"%s%s":1e999}' % (b"x" * 90, SECRET.encode()),
    "echo_twice_key": b'{"%s":1,"%s":2}' % (SECRET.encode(), SECRET.encode()),
    "echo_wrong_type": b'{"type":"%s","signal_id":"h"}' % SECRET.encode(),
    "echo_wrong_price": b'{"type":"ENTRY","signal_id":"h2","entry_price":"%s"}' % SECRET.encode(),
    "echo_form": b"secret=%s&type=ENTRY" % SECRET.encode(),
    "second_secret": b'{%s,"secret":"other","note":"%s"}' % (_GOOD, SECRET.encode()),
    "secret_is_object": b'{%s,"secret":{"a":"%s"}}' % (_GOOD, SECRET.encode()),
    "secret_is_list": b'{%s,"secret":[[[1]]]}' % _GOOD,
    "secret_surrogate": b'{%s,"secret":"\\ud800"}' % _GOOD,
    "wrapped_secret": b'{"attributes":{%s,"secret":"%s","schema_version":"1.0.0"}}' % (_GOOD, SECRET.encode()),
    "batch_echo": b'{"event_type":"MFE_UPDATE_BATCH","signals":[{"trade_id":"b","mfe_R":1,"note":"%s"},'
    b'{"mfe_R":"%s"}]}' % (SECRET.encode(), SECRET.encode()),
    "empty": b"",
    "blank": b" \r\n\t ",
    "nul": b"\x00",
    "nul_bytes": b"\x00" * 5000,
    "not_utf8": b'{"a":"\xff\xfe\xfd"}',
    "overlong_utf8": b'{"a":"\xc0\xaf"}',
    "utf16": '{"type":"ENTRY"}'.encode("utf-16-le"),
    "utf32": '{"type":"ENTRY"}'.encode("utf-32"),
    "two_boms": b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "number": b"1",
    "huge_integer": b"9" * 5000,
    "huge_integer_field": b'{"type":"ENTRY","signal_id":"h","entry_price":%s}' % (b"9" * 5000),
    "long_fraction": b'{"type":"ENTRY","signal_id":"h","entry_price":0.%s}' % (b"1" * 5000),
    "exponent": b'{"type":"ENTRY","signal_id":"h","entry_price":1e999999999}',
    "exponent_text": b'{"type":"ENTRY","signal_id":"h","entry_price":"1e999999999"}',
    "negative_exponent": b'{"type":"ENTRY","signal_id":"h","entry_price":1e-99999}',
    "nan": b'{"type":"ENTRY","signal_id":"h","entry_price":NaN,"mfe":-Infinity}',
    "nan_text": b'{"type":"ENTRY","signal_id":"h","entry_price":"nan","mfe":"inf"}',
    "deep_list": b"[" * 30000,
    "deep_object": b'{"a":' * 12000,
    "deep_closed": b'{"a":' * 500 + b"1" + b"}" * 500,
    "many_keys": b"{" + b",".join(b'"%d":1' % n for n in range(6000)) + b"}",
    "many_items": b'{"event_type":"MFE_UPDATE_BATCH","signals":[' + b",".join([b"{}"] * 20000) + b"]}",
    "many_texts": b'{"event_type":"MFE_UPDATE_BATCH","signals":[' + b",".join([b'"a"'] * 16000) + b"]}",
    "twice": b'{"type":"ENTRY","type":"EXIT"}',
    "surrogate": b'{"type":"ENTRY","signal_id":"h3","entry_price":1,"note":"\\ud800\\udc00\\ud800 \\udfff"}',
    "surrogate_key": b'{%s,"\\ud800":1}' % _GOOD,
    "nul_text": b'{"type":"ENTRY","signal_id":"h4","entry_price":1,"note":"a\\u0000b"}',
    "nul_id": b'{"type":"ENTRY","signal_id":"a\\u0000b","entry_price":1}',
    "nul_key": b'{%s,"a\\u0000":1}' % _GOOD,
    "year_0": b'{"type":"ENTRY","signal_id":"h","entry_price":1,"timestamp":"0000-01-01T00:00:00Z"}',
    "year_10000": b'{"type":"ENTRY","signal_id":"h","entry_price":1,"timestamp":"10000-01-01T00:00:00Z"}',
    "epoch_far": b'{"type":"ENTRY","signal_id":"h","entry_price":1,"timestamp":99999999999999999999}',
    "epoch_text": b'{"type":"ENTRY","signal_id":"h","entry_price":1,"timestamp":"-1e40"}',
    "offset_far": b'{"type":"ENTRY","signal_id":"h","entry_price":1,"timestamp":"2026-01-01T00:00:00+99:99"}',
    "types_everywhere": b'{"type":{},"signal_id":[],"entry_price":{},"direction":[],"timestamp":{},"targets":5}',
    "booleans": b'{"type":true,"signal_id":true,"entry_price":true,"schema_version":true,"event_type":true}',
    "long_id": b'{"type":"ENTRY","signal_id":"%s","entry_price":1}' % (b"x" * 60000),
    "long_symbol": b'{"type":"ENTRY","signal_id":"h5","entry_price":1,"symbol":"%s"}' % (b"x" * 60000),
    "sql": b'{"type":"ENTRY","signal_id":"h\'; DROP TABLE automated_signals; --","entry_price":1}',
    "format": b'{"type":"ENTRY","signal_id":"%s %(x)s {0} ${x}","entry_price":1}',
    "lines": b'{"type":"ENTRY","signal_id":"a\\nb","entry_price":1,"note":"x\\r\\n{\\"event\\":\\"forged\\"}"}',
    "html": b'{"type":"ENTRY","signal_id":"<script>alert(1)</script>","entry_price":1,"strategy_id":"=cmd|x"}',
    "proto": b'{"type":"ENTRY","signal_id":"h6","entry_price":1,"__proto__":{"a":1},"constructor":1}',
    "bidi": '{"type":"ENTRY","signal_id":"\u202eabc\u200b","entry_price":1}'.encode(),
    "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "pickle": b"\x80\x04\x95\x0a\x00\x00\x00",
}
