"""A client in Python, made by openapi-python-client of the description: sells a product, and reads the codes of errors."""

import sys

from shardcart_client import Client
from shardcart_client.api.products import change_stock, create_product, list_products, show_product_by_handle
from shardcart_client.api.reference import list_problems
from shardcart_client.models import Money, NewProduct, NewProductAttributes, Problem, StockChange

with Client(base_url=sys.argv[1]) as client:
    tux = NewProduct(name="Tux", price=Money(amount=1599, currency="EUR"), handle="tux", tags=["toy"], attributes=NewProductAttributes.from_dict({"colour": "black"}))
    made = create_product.sync_detailed(client=client, body=tux, idempotency_key='"tux-1"')
    assert made.status_code == 201 and made.headers["ETag"] == '"1"', made
    again = create_product.sync_detailed(client=client, body=tux, idempotency_key='"tux-1"')
    assert again.headers["Idempotency-Replayed"] == "true" and again.parsed.id == made.parsed.id, again
    changed = change_stock.sync(client=client, id=made.parsed.id, body=StockChange(delta=10), idempotency_key='"stock-1"')
    assert changed.delta == 10, changed

    other = create_product.sync_detailed(client=client, body=NewProduct(name="", price=tux.price))
    assert other.status_code == 400 and isinstance(other.parsed, Problem), other
    assert other.parsed.errors[0].pointer == "/name", other.parsed

    # What /v1 makes, the path-only API sells.
    plain = client.get_httpx_client()
    user = plain.post("/payment/create_user").json()["user_id"]
    order = plain.post(f"/orders/create/{user}").json()["order_id"]
    for path in (f"/payment/add_funds/{user}/5000", f"/orders/addItem/{order}/{made.parsed.id}/3", f"/orders/checkout/{order}"):
        assert plain.post(path).status_code == 200, path
    stock = plain.get(f"/v1/products/{made.parsed.id}/stock").json()
    assert stock == {"available": 7}, stock

    found = show_product_by_handle.sync(client=client, handle="tux")
    assert found.id == made.parsed.id and found.price.amount == 1599, found
    assert [one.id for one in list_products.sync(client=client, q="tu").data] == [found.id]

    codes = {known.code: known for known in list_problems.sync(client=client).data}
    assert codes["invalid_cursor"].status == 400 and codes["overloaded"].retryable, codes
print("held")
