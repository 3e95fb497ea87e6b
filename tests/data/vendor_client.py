"""The vendor's own client against the address given: one line of JSON for each step.

usage: vendor_client.py HOST:PORT SECRET_ID SECRET_KEY
"""

import json
import sys

from tencentcloud.cfw.v20190904 import cfw_client, models
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

endpoint, secret_id, secret_key = sys.argv[1:4]


def client(key):
    http = HttpProfile(protocol="http", endpoint=endpoint, reqTimeout=10)
    profile = ClientProfile(httpProfile=http, language="en-US")
    return cfw_client.CfwClient(credential.Credential(secret_id, key), "", profile)


def ioc(direction, ip="", domain=""):
    item = models.IocListData()
    item.IP, item.Domain, item.Direction = ip, domain, direction
    return item


def modify(action, iocs, end=None):
    request = models.ModifyBlockIgnoreListRequest()
    request.RuleType, request.IocAction, request.IOC = 1, action, iocs
    if end:
        request.StartTime, request.EndTime = "2026-01-01 00:00:00", end
    return request


def describe(**more):
    request = models.DescribeBlockIgnoreListRequest()
    request.RuleType, request.ShowType, request.Limit, request.Offset = 1, "blocklist", 20, 0
    request.SearchValue, request.By, request.Order, request.Direction = "{}", "EndTime", "asc", ""
    for name, value in more.items():
        setattr(request, name, value)
    return request


def step(name, call, request):
    try:
        answer = json.loads(call(request).to_json_string())
        print(json.dumps({"step": name, "answer": answer}, ensure_ascii=False))
    except TencentCloudSDKException as fault:
        seen = {"code": fault.get_code(), "message": fault.get_message(), "request_id": fault.get_request_id()}
        print(json.dumps({"step": name, "exception": seen}))


good = client(secret_key)
address, name = "192.0.2.10", "bad.example"
entries = [ioc(0, ip=address), ioc(1, ip=address), ioc(0, domain=name)]
step("add", good.ModifyBlockIgnoreList, modify("add", entries, "3000-01-01 00:00:00"))
step("edit", good.ModifyBlockIgnoreList, modify("edit", [ioc(1, ip=address)], "2999-12-31 23:59:59"))
step("list", good.DescribeBlockIgnoreList, describe())
step("search", good.DescribeBlockIgnoreList, describe(SearchValue='{"common":"%s"}' % name, Direction="0"))
step("quota", good.DescribeOverviewResourceQuota, models.DescribeOverviewResourceQuotaRequest())
step("delete", good.ModifyBlockIgnoreList, modify("delete", [ioc(0, ip=address), ioc(0, domain=name)]))
step("refused", good.ModifyBlockIgnoreList, modify("add", [ioc(0, ip="192.0.2.0/24")], "3000-01-01 00:00:00"))
step("stranger", client("another-EXAMPLE").ModifyBlockIgnoreList, modify("delete", [ioc(1, ip=address)]))
