"""Downloads the AWS service reference and writes it as one file, `service-reference-YYYY-MM-DD.json`.

AWS publishes a list of services, https://servicereference.us-east-1.amazonaws.com/, and a file for each. The files are
taken from the list's own host only, over TLS; without TLS only from this machine.

usage: python3 fetch_reference.py URL FOLDER   (prints the path of the file)
"""

import concurrent.futures
import datetime
import json
import pathlib
import sys
import urllib.parse
import urllib.request

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects, urllib.request.ProxyHandler())


def get(url):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        sys.exit(f"`{url}` is not https")
    with OPENER.open(url, timeout=60) as answer:
        return json.load(answer)


def main():
    url, folder = sys.argv[1:]
    services = get(url)
    if not isinstance(services, list):
        sys.exit(f"`{url}` is no list of services")
    place = urllib.parse.urlsplit(url)
    for entry in services:
        if urllib.parse.urlsplit(entry["url"])[:2] != place[:2]:
            sys.exit(f"`{entry['url']}` is elsewhere than the list of services")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(get, (entry["url"] for entry in services)))
    whole = {entry["service"]: content for entry, content in zip(services, contents)}
    today = datetime.datetime.now(datetime.timezone.utc).date()
    path = pathlib.Path(folder) / f"service-reference-{today}.json"
    path.write_text(json.dumps(whole, sort_keys=True, separators=(",", ":")))
    print(path)


main()
