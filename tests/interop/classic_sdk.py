"""The classic SDK, aliyun-python-sdk-ecs: version 1 of the signature, JSON and XML, GET and POST."""

import itertools
import json
import time
import unittest
import xml.etree.ElementTree as ElementTree

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from aliyunsdkecs.request.v20140526.DescribeInstanceAttributeRequest import DescribeInstanceAttributeRequest
from aliyunsdkecs.request.v20140526.DescribeInstancesRequest import DescribeInstancesRequest
from aliyunsdkecs.request.v20140526.DescribeInstanceStatusRequest import DescribeInstanceStatusRequest
from aliyunsdkecs.request.v20140526.DescribeRegionsRequest import DescribeRegionsRequest
from aliyunsdkecs.request.v20140526.StartInstanceRequest import StartInstanceRequest
from aliyunsdkecs.request.v20140526.StartInstancesRequest import StartInstancesRequest
from aliyunsdkecs.request.v20140526.StopInstanceRequest import StopInstanceRequest
from aliyunsdkecs.request.v20140526.StopInstancesRequest import StopInstancesRequest

HOST = ""
PORT = 0
REGION = "cn-hangzhou"

FORMATS = ("json", "xml")
METHODS = ("GET", "POST")


def client(key="sim-key", secret="sim-secret", credential=None):
    if credential is not None:
        return AcsClient(region_id=REGION, credential=credential, port=PORT, auto_retry=False)
    return AcsClient(key, secret, REGION, port=PORT, auto_retry=False)


def send(request, using=None, form="json", method="POST"):
    """Sends a request; the answer as JSON, or as the root element of XML."""
    request.set_endpoint(HOST)
    request.set_protocol_type("http")
    request.set_accept_format(form)
    request.set_method(method)
    using = using or client()
    if form == "json":
        return json.loads(using.do_action_with_exception(request))
    # That one always asks for JSON; this one asks for what the request says, and leaves errors to the caller.
    status, headers, body = using.get_response(request)[:3]
    if (status, headers["Content-Type"]) != (200, "text/xml;charset=utf-8"):
        raise AssertionError(f"{status} {headers['Content-Type']}: {body}")
    return ElementTree.fromstring(body)


def filled(request, **values):
    for name, value in values.items():
        getattr(request, f"set_{name}")(value)
    return request


def status_of(instance, form="json", method="POST"):
    request = filled(DescribeInstanceStatusRequest(), InstanceIds=[instance], PageSize=50)
    answer = send(request, form=form, method=method)
    if form == "json":
        return answer["InstanceStatuses"]["InstanceStatus"][0]["Status"]
    return answer.findtext("InstanceStatuses/InstanceStatus/Status")


class Classic(unittest.TestCase):
    def refused(self, code, status, request, **how):
        with self.assertRaises(ServerException) as caught:
            send(request, **how)
        self.assertEqual((caught.exception.get_error_code(), caught.exception.get_http_status()), (code, status))
        self.assertRegex(caught.exception.get_request_id() or "", r"^[0-9A-F-]{36}$")
        return caught.exception

    def test_lists_by_ids_in_every_form(self):
        for form, method in itertools.product(FORMATS, METHODS):
            with self.subTest(form=form, method=method):
                wanted = ["i-park01", "i-park02", "i-park03", "i-nowhere"]
                request = filled(DescribeInstancesRequest(), InstanceIds=json.dumps(wanted), PageSize=100)
                answer = send(request, form=form, method=method)
                if form == "json":
                    instances = answer["Instances"]["Instance"]
                    seen = [(it["InstanceId"], it["InstanceName"], it["Status"]) for it in instances]
                    locks = [it["OperationLocks"]["LockReason"] for it in instances]
                    self.assertEqual(locks[0][0]["LockReason"], "Recycling")
                    self.assertEqual(locks[1], [])
                    self.assertEqual(instances[2]["PublicIpAddress"], {"IpAddress": ["203.0.113.7"]})
                    self.assertEqual(answer["TotalCount"], 3)
                else:
                    self.assertEqual(answer.tag, "DescribeInstancesResponse")
                    instances = answer.findall("Instances/Instance")
                    names = ("InstanceId", "InstanceName", "Status")
                    seen = [tuple(it.findtext(name) for name in names) for it in instances]
                    lock = instances[0].findtext("OperationLocks/LockReason/LockReason")
                    self.assertEqual(lock, "Recycling")
                    self.assertEqual(instances[2].findtext("PublicIpAddress/IpAddress"), "203.0.113.7")
                    self.assertEqual(answer.findtext("TotalCount"), "3")
                self.assertEqual(
                    seen,
                    [
                        ("i-park01", "网 park*~+/ 01", "Stopped"),
                        ("i-park02", "park-02", "Stopped"),
                        ("i-park03", "park-03", "Running"),
                    ],
                )

    def test_lists_by_filters(self):
        for filters, expected in [
            ({"Tags": [{"Key": "role", "Value": "a park"}]}, ["i-park01", "i-park02", "i-park03"]),
            ({"Tags": [{"Key": "role", "Value": "a park"}, {"Key": "empty"}]}, ["i-park01"]),
            ({"InstanceName": "网 park*~+/ 01"}, ["i-park01"]),
            ({"InstanceName": "park-*", "Status": "Running"}, ["i-park03"]),
            ({"InstanceName": "park-*", "InstanceChargeType": "PrePaid"}, ["i-park02"]),
            ({"LockReason": "security"}, ["i-locked"]),
            ({"ZoneId": "cn-hangzhou-i"}, ["i-park01"]),
            ({"InstanceIds": "[]"}, []),
        ]:
            with self.subTest(filters=filters):
                answer = send(filled(DescribeInstancesRequest(), PageSize=100, **filters))
                self.assertEqual([it["InstanceId"] for it in answer["Instances"]["Instance"]], expected)

    def test_pages_by_number_hold_everything_once(self):
        seen = []
        for number in itertools.count(1):
            answer = send(filled(DescribeInstancesRequest(), PageNumber=number, PageSize=7))
            page = answer["Instances"]["Instance"]
            seen.extend(it["InstanceId"] for it in page)
            if not page:
                break
        self.assertEqual(len(seen), 18)
        self.assertEqual(len(set(seen)), 18)

    def test_starts_and_stops_in_every_form(self):
        for form, method in itertools.product(FORMATS, METHODS):
            with self.subTest(form=form, method=method):
                how = {"form": form, "method": method}
                instance = f"i-classic{'xml' if form == 'xml' else ''}{method.lower()}"
                start = filled(StartInstanceRequest(), InstanceId=instance)
                stop = filled(StopInstanceRequest(), InstanceId=instance, StoppedMode="StopCharging", ForceStop=False)
                self.assertEqual(status_of(instance, **how), "Stopped")
                answer = send(start, **how)
                request_id = answer["RequestId"] if form == "json" else answer.findtext("RequestId")
                self.assertRegex(request_id, r"^[0-9A-F-]{36}$")
                self.assertEqual(status_of(instance, **how), "Running")
                send(stop, **how)
                self.assertEqual(status_of(instance, **how), "Stopped")
                attribute = send(filled(DescribeInstanceAttributeRequest(), InstanceId=instance), **how)
                mode = attribute["StoppedMode"] if form == "json" else attribute.findtext("StoppedMode")
                self.assertEqual(mode, "StopCharging")

    def test_parameters_may_be_in_a_form(self):
        request = CommonRequest(domain=HOST, version="2014-05-26", action_name="StartInstance")
        request.set_protocol_type("http")
        request.set_method("POST")
        request.add_body_params("InstanceId", "i-classicform")
        client().do_action_with_exception(request)
        self.assertEqual(status_of("i-classicform"), "Running")

    def test_refusals_have_their_documented_code_and_status(self):
        def start(instance, **more):
            return filled(StartInstanceRequest(), InstanceId=instance, **more)

        for method in METHODS:
            for code, status, request in [
                ("IncorrectInstanceStatus", 403, start("i-park03")),
                ("IncorrectInstanceStatus", 403, filled(StopInstanceRequest(), InstanceId="i-park01")),
                ("InvalidInstanceId.NotFound", 404, start("i-nowhere")),
                ("InstanceLockedForSecurity", 403, start("i-locked")),
                ("DryRunOperation", 400, start("i-park02", DryRun=True)),
                ("IncorrectInstanceStatus", 403, start("i-park03", DryRun=True)),
                ("DryRunOperation", 400, filled(DescribeInstancesRequest(), DryRun=True)),
                ("Throttling.User", 400, start("i-hot")),
                ("InternalError", 500, start("i-broken")),
            ]:
                with self.subTest(code=code, method=method):
                    self.refused(code, status, request, method=method)

    def test_errors_in_xml_have_the_documented_elements(self):
        request = filled(StartInstanceRequest(), InstanceId="i-park03")
        request.set_endpoint(HOST)
        request.set_protocol_type("http")
        request.set_accept_format("xml")
        status, headers, body = client().get_response(request)[:3]
        self.assertEqual((status, headers["Content-Type"]), (403, "text/xml;charset=utf-8"))
        error = ElementTree.fromstring(body)
        self.assertEqual((error.tag, error.findtext("Code")), ("Error", "IncorrectInstanceStatus"))
        self.assertEqual(error.findtext("HostId").split(":")[0], HOST)

    def test_the_sdk_sees_that_only_the_secret_is_wrong(self):
        """It compares the server's string to sign with its own, and names the secret if they are the same."""
        wrong = client(secret="wrong")
        for method in METHODS:
            request = filled(DescribeInstancesRequest(), InstanceName="网 *~")
            self.refused("InvalidAccessKeySecret", 400, request, using=wrong, method=method)
        self.refused("InvalidAccessKeyId.NotFound", 404, DescribeRegionsRequest(), using=client(key="unknown"))

    def test_lists_regions(self):
        answer = send(DescribeRegionsRequest())
        regions = {it["RegionId"]: it["RegionEndpoint"] for it in answer["Regions"]["Region"]}
        self.assertEqual(regions["cn-hongkong"], "ecs.cn-hongkong.aliyuncs.com")

    def test_a_batch_is_judged_item_by_item(self):
        request = filled(
            StartInstancesRequest(),
            InstanceIds=["i-classicbatch1", "i-locked", "i-nowhere", "i-classicbatch2"],
            BatchOptimization="SuccessFirst",
        )
        answer = send(request)
        items = {it["InstanceId"]: it for it in answer["InstanceResponses"]["InstanceResponse"]}
        self.assertEqual(
            {instance: item["Code"] for instance, item in items.items()},
            {
                "i-classicbatch1": "200",
                "i-locked": "InstanceLockedForSecurity",
                "i-nowhere": "InvalidInstanceId.NotFound",
                "i-classicbatch2": "200",
            },
        )
        item = items["i-classicbatch1"]
        self.assertEqual((item["PreviousStatus"], item["CurrentStatus"]), ("Stopped", "Starting"))
        all_of_them = ["i-classicbatch1", "i-classicbatch2"]
        self.refused("IncorrectInstanceStatus", 403, filled(StopInstancesRequest(), InstanceIds=[*all_of_them, "i-park01"]))
        self.assertEqual(status_of("i-classicbatch1"), "Running")
        dry = filled(StopInstancesRequest(), InstanceIds=all_of_them, DryRun=True)
        self.refused("DRYRUN.SUCCESS", 400, dry)
        answer = send(filled(StopInstancesRequest(), InstanceIds=all_of_them), form="xml", method="GET")
        codes = [it.findtext("Code") for it in answer.findall("InstanceResponses/InstanceResponse")]
        self.assertEqual(codes, ["200", "200"])
        self.assertEqual(status_of("i-classicbatch2"), "Stopped")

    def test_a_role_is_assumed_and_its_key_ends(self):
        def sts(action, **parameters):
            request = CommonRequest(domain=HOST, version="2015-04-01", action_name=action)
            request.set_protocol_type("http")
            request.set_method("POST")
            for name, value in parameters.items():
                request.add_query_param(name, value)
            return request

        def call(using, request):
            return json.loads(using.do_action_with_exception(request))

        role = {"RoleArn": "acs:ram::1234567890123456:role/ops", "RoleSessionName": "interop"}
        with self.assertRaises(ServerException) as caught:
            call(client(), sts("AssumeRole", **role))
        self.assertEqual((caught.exception.get_error_code(), caught.exception.get_http_status()), ("NoPermission", 403))
        given = call(client(), sts("AssumeRole", ExternalId="known to both", **role))["Credentials"]
        assumed = client(
            credential=StsTokenCredential(given["AccessKeyId"], given["AccessKeySecret"], given["SecurityToken"])
        )
        self.assertEqual(len(send(DescribeInstancesRequest(), using=assumed)["Instances"]["Instance"]), 10)
        who = call(assumed, sts("GetCallerIdentity"))
        self.assertEqual(who["IdentityType"], "AssumedRoleUser")
        self.assertEqual(who["Arn"], "acs:ram::1234567890123456:assumed-role/ops/interop")
        self.assertEqual(call(client(), sts("GetCallerIdentity"))["AccountId"], "1234567890123456")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                send(DescribeInstancesRequest(), using=assumed)
            except ServerException as refusal:
                self.assertEqual(refusal.get_error_code(), "InvalidSecurityToken.Expired")
                return
            time.sleep(0.2)
        self.fail("the key of the role never ended")
