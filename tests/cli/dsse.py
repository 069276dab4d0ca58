"""dsse.py ENVELOPE THRESHOLD [KEYID=PEM...]: verifies a DSSE envelope with in-toto's own library
(securesystemslib): prints the payload when THRESHOLD of the keys signed it, else says how many
did and exits 1."""

import base64
import json
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from securesystemslib import keys


def key_of(pem):
    """A PEM file as the library's kind of key."""
    with open(pem, encoding="ascii") as file:
        text = file.read()
    key = serialization.load_pem_public_key(text.encode())
    kind, scheme, public = "rsa", "rsa-pkcs1v15-sha256", text.strip()
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        kind, scheme, public = "ed25519", "ed25519", raw.hex()
    elif isinstance(key, ec.EllipticCurvePublicKey):
        kind, scheme = "ecdsa", f"ecdsa-sha2-nistp{key.curve.key_size}"
    return {"keyid": "00", "keytype": kind, "scheme": scheme, "keyval": {"public": public}}


def main(path, threshold, *wanted):
    """Counts the keys whose signature is good."""
    with open(path, encoding="utf-8") as file:
        envelope = json.load(file)
    payload = base64.b64decode(envelope["payload"], validate=True)
    kind = envelope["payloadType"].encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    known = dict(item.split("=", 1) for item in wanted)
    good = set()
    for signature in envelope["signatures"]:
        if signature["keyid"] not in known:
            continue
        sig = base64.b64decode(signature["sig"], validate=True).hex()
        key = key_of(known[signature["keyid"]])
        if keys.verify_signature(key, {"keyid": "00", "sig": sig}, message):
            good.add(signature["keyid"])
    if len(good) < int(threshold):
        print(f"{len(good)} good signatures, {threshold} wanted", file=sys.stderr)
        sys.exit(1)
    sys.stdout.buffer.write(payload)


main(*sys.argv[1:])
