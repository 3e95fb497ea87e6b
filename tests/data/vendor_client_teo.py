"""The vendor's own client for layer-4 proxies against the address given: one line of JSON for each step.

usage: vendor_client_teo.py HOST:PORT SECRET_ID SECRET_KEY
"""

import json
import sys

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.teo.v20220901 import models, teo_client

endpoint, secret_id, secret_key = sys.argv[1:4]
http = HttpProfile(protocol="http", endpoint=endpoint, reqTimeout=10)
profile = ClientProfile(httpProfile=http, language="en-US")
client = teo_client.TeoClient(credential.Credential(secret_id, secret_key), "", profile)


def on_proxy(request, **more):
    request.ZoneId, request.ProxyId = "zone-24wjy25v1cwi", "sid-2qwk27xf7j9g"
    for name, value in more.items():
        setattr(request, name, value)
    return request


def rule(port, **more):
    item = models.L4ProxyRule()
    item.Protocol, item.PortRange, item.OriginType = "TCP", [port], "IP_DOMAIN"
    item.OriginValue, item.OriginPortRange = ["119.23.100.45"], "90"
    for name, value in more.items():
        setattr(item, name, value)
    return item


def change(rule_id, **more):
    item = models.L4ProxyRule()
    item.RuleId = rule_id
    for name, value in more.items():
        setattr(item, name, value)
    return item


def named(name, value):
    wanted = models.Filter()
    wanted.Name, wanted.Values = name, [value]
    return [wanted]


def step(name, call, request):
    try:
        answer = json.loads(call(request).to_json_string())
        print(json.dumps({"step": name, "answer": answer}, ensure_ascii=False))
        return answer
    except TencentCloudSDKException as fault:
        seen = {"code": fault.get_code(), "message": fault.get_message(), "request_id": fault.get_request_id()}
        print(json.dumps({"step": name, "exception": seen}))
        return None


first = rule("80", ClientIPPassThroughMode="TOA", SessionPersist="on", SessionPersistTime=3600, RuleTag="test")
create, describe = models.CreateL4ProxyRulesRequest, models.DescribeL4ProxyRulesRequest
made = step("create", client.CreateL4ProxyRules, on_proxy(create(), L4ProxyRules=[first, rule("81-85")]))
ids = made["L4ProxyRuleIds"]
modify = on_proxy(models.ModifyL4ProxyRulesRequest(), L4ProxyRules=[change(ids[1], RuleTag="service-1")])
step("modify", client.ModifyL4ProxyRules, modify)
step("list", client.DescribeL4ProxyRules, on_proxy(describe(), Offset=0, Limit=1000))
step("search", client.DescribeL4ProxyRules, on_proxy(describe(), Filters=named("rule-tag", "service-1")))
step("taken", client.CreateL4ProxyRules, on_proxy(create(), L4ProxyRules=[rule("85")]))
step("inner", client.CreateL4ProxyRules, on_proxy(create(), L4ProxyRules=[rule("99", OriginValue=["10.0.0.1"])]))
step("delete", client.DeleteL4ProxyRules, on_proxy(models.DeleteL4ProxyRulesRequest(), RuleIds=[ids[0]]))
