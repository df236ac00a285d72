"""Calls every operation of a client that openapi-python-client has made, and prints what it took each answer for."""

import json
import pkgutil
import sys
from datetime import date
from importlib import import_module
from inspect import signature

base, tenant, phone = sys.argv[1:]
leads_client, operations = import_module("leads_client"), import_module("leads_client.api")
models = import_module("leads_client.models")
values = {
    "client": leads_client.AuthenticatedClient(base_url=base, token="none", raise_on_unexpected_status=False),
    "user_id": tenant,
    "customer_phone": phone,
    "body": models.Phones(customer_phones=[phone]),
    "from_date": date(2025, 6, 1),
    "to_date": date(2026, 3, 29),
}
answers = {}
for module in pkgutil.walk_packages(operations.__path__, f"{operations.__name__}."):
    if not module.ispkg:
        call = import_module(module.name).sync_detailed
        taken = signature(call).parameters
        answer = call(**{name: value for name, value in values.items() if name in taken})
        answers[module.name.rpartition(".")[2]] = [answer.status_code, type(answer.parsed).__name__]
few = import_module("leads_client.api.leads.get_lead").sync(
    tenant, phone, client=values["client"], fields=[models.GetLeadFieldsItem.NAME]
)
sys.stdout.write(json.dumps({"answers": answers, "few": few.data.to_dict()}))
