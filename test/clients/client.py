"""A client in Python, made by openapi-python-client of the description: reads the codes of errors."""

import sys

from shardcart_client import Client
from shardcart_client.api.reference import list_problems

with Client(base_url=sys.argv[1]) as client:
    answer = list_problems.sync_detailed(client=client)
    assert answer.status_code == 200, answer
    codes = {known.code: known for known in answer.parsed.data}
    assert codes["invalid_cursor"].status == 400, codes
    assert codes["overloaded"].retryable and answer.parsed.next_ is None
print("held")
