"""The new SDK, alibabacloud-ecs20140526: version 3 of the signature, and version 1 where it is told so."""

import time
import unittest

from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.client import Client as OpenApiClient
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException, ThrottlingException
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

HOST = ""
PORT = 0
REGION = "cn-hangzhou"


def config(**changes):
    settings = {
        "access_key_id": "sim-key",
        "access_key_secret": "sim-secret",
        "region_id": REGION,
        "endpoint": f"{HOST}:{PORT}",
        "protocol": "http",
    }
    return Config(**{**settings, **changes})


def client(**changes):
    return Client(config(**changes))


def start(instance, **more):
    return models.StartInstanceRequest(instance_id=instance, **more)


def status_of(instance):
    request = models.DescribeInstanceStatusRequest(region_id=REGION, instance_id=[instance], page_size=50)
    return client().describe_instance_status(request).body.instance_statuses.instance_status[0].status


class New(unittest.TestCase):
    def refused(self, code, status, call, request):
        with self.assertRaises(AlibabaCloudException) as caught:
            call(request)
        self.assertEqual((caught.exception.code, caught.exception.status_code), (code, status))
        self.assertRegex(caught.exception.request_id or "", r"^[0-9A-F-]{36}$")
        return caught.exception

    def test_lists_with_tokens_until_there_is_none(self):
        seen, token, pages = [], None, 0
        while True:
            request = models.DescribeInstancesRequest(region_id=REGION, max_results=3, next_token=token)
            body = client().describe_instances(request).body
            seen.extend(it.instance_id for it in body.instances.instance)
            pages += 1
            token = body.next_token
            if not token:
                break
        self.assertEqual((len(seen), len(set(seen)), pages), (18, 18, 2), "3 is put right to 10")

    def test_lists_by_ids_and_filters(self):
        for filters, expected in [
            ({"instance_ids": '["i-park02","i-park01","i-nowhere"]'}, ["i-park02", "i-park01"]),
            ({"instance_name": "网 park*~+/ 01"}, ["i-park01"]),
            (
                {"tag": [models.DescribeInstancesRequestTag(key="role", value="a park")], "status": "Running"},
                ["i-park03"],
            ),
            ({"lock_reason": "Recycling"}, ["i-park01"]),
        ]:
            with self.subTest(filters=filters):
                request = models.DescribeInstancesRequest(region_id=REGION, page_size=100, **filters)
                instances = client().describe_instances(request).body.instances.instance
                self.assertEqual([it.instance_id for it in instances], expected)
        self.assertEqual(instances[0].operation_locks.lock_reason[0].lock_reason, "Recycling")
        tags = {tag.tag_key: tag.tag_value for tag in instances[0].tags.tag}
        self.assertEqual(tags, {"role": "a park", "empty": ""})

    def test_starts_and_stops_with_both_versions_of_the_signature(self):
        for instance, changes in [("i-newv3", {}), ("i-newv1", {"signature_algorithm": "v2"})]:
            with self.subTest(instance=instance):
                using = client(**changes)
                self.assertEqual(status_of(instance), "Stopped")
                answer = using.start_instance(start(instance))
                self.assertEqual(answer.status_code, 200)
                self.assertEqual(answer.headers["x-acs-request-id"], answer.body.request_id)
                self.assertEqual(status_of(instance), "Running")
                using.stop_instance(models.StopInstanceRequest(instance_id=instance, stopped_mode="StopCharging"))
                request = models.DescribeInstanceAttributeRequest(instance_id=instance)
                body = using.describe_instance_attribute(request).body
                self.assertEqual((body.status, body.stopped_mode), ("Stopped", "StopCharging"))

    def test_refusals_have_their_documented_code_and_status(self):
        for changes in ({}, {"signature_algorithm": "v2"}):
            using = client(**changes)
            for code, status, request in [
                ("IncorrectInstanceStatus", 403, start("i-park03")),
                ("InvalidInstanceId.NotFound", 404, start("i-nowhere")),
                ("InstanceLockedForSecurity", 403, start("i-locked")),
                ("DryRunOperation", 400, start("i-park02", dry_run=True)),
                ("Throttling.User", 400, start("i-hot")),
                ("InternalError", 500, start("i-broken")),
            ]:
                with self.subTest(code=code, changes=changes):
                    self.refused(code, status, using.start_instance, request)

    def test_a_throttled_call_says_when_to_come_again(self):
        refusal = self.refused("Throttling.User", 400, client().start_instance, start("i-hotter"))
        self.assertIsInstance(refusal, ThrottlingException)
        self.assertIn(refusal.retry_after, range(1, 3_600_001), "in milliseconds")

    def test_keys_that_are_not_right_are_refused(self):
        regions = models.DescribeRegionsRequest()
        for algorithm in ("ACS3-HMAC-SHA256", "v2"):
            wrong = client(access_key_secret="wrong", signature_algorithm=algorithm)
            refusal = self.refused("SignatureDoesNotMatch", 400, wrong.describe_regions, regions)
            self.assertIn("server string to sign is:", refusal.message)
            unknown = client(access_key_id="unknown", signature_algorithm=algorithm)
            self.refused("InvalidAccessKeyId.NotFound", 404, unknown.describe_regions, regions)

    def test_lists_regions(self):
        regions = client().describe_regions(models.DescribeRegionsRequest()).body.regions.region
        self.assertIn("cn-hongkong", [it.region_id for it in regions])

    def test_a_batch_is_judged_item_by_item(self):
        request = models.StartInstancesRequest(
            region_id=REGION,
            instance_id=["i-newbatch1", "i-locked", "i-newbatch2"],
            batch_optimization="SuccessFirst",
        )
        items = client().start_instances(request).body.instance_responses.instance_response
        codes = {it.instance_id: it.code for it in items}
        self.assertEqual(codes, {"i-newbatch1": "200", "i-locked": "InstanceLockedForSecurity", "i-newbatch2": "200"})
        both = ["i-newbatch1", "i-newbatch2"]
        stop = models.StopInstancesRequest(region_id=REGION, instance_id=[*both, "i-park01"])
        self.refused("IncorrectInstanceStatus", 403, client().stop_instances, stop)
        dry = models.StopInstancesRequest(region_id=REGION, instance_id=both, dry_run=True)
        self.refused("DRYRUN.SUCCESS", 400, client().stop_instances, dry)
        stop = models.StopInstancesRequest(region_id=REGION, instance_id=both, force_stop=True)
        items = client().stop_instances(stop).body.instance_responses.instance_response
        self.assertEqual([(it.code, it.message, it.current_status) for it in items], [("200", "success", "Stopping")] * 2)
        self.assertEqual(status_of("i-newbatch2"), "Stopped")

    def test_a_role_is_assumed_and_its_key_ends(self):
        def sts(action, query, **changes):
            params = Params(
                action=action,
                version="2015-04-01",
                protocol="HTTP",
                method="POST",
                auth_type="AK",
                style="RPC",
                pathname="/",
                req_body_type="formData",
                body_type="json",
            )
            return OpenApiClient(config(**changes)).call_api(params, OpenApiRequest(body=query), RuntimeOptions())["body"]

        role = {"RoleArn": "acs:ram::1234567890123456:role/ops", "RoleSessionName": "interop"}
        given = sts("AssumeRole", {"ExternalId": "known to both", **role})["Credentials"]
        temporary = {
            "type": "sts",
            "access_key_id": given["AccessKeyId"],
            "access_key_secret": given["AccessKeySecret"],
            "security_token": given["SecurityToken"],
        }
        who = sts("GetCallerIdentity", {}, **temporary)
        self.assertEqual(who["Arn"], "acs:ram::1234567890123456:assumed-role/ops/interop")
        request = models.DescribeInstancesRequest(region_id=REGION)
        self.assertEqual(len(client(**temporary).describe_instances(request).body.instances.instance), 10)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                client(**temporary).describe_instances(request)
            except AlibabaCloudException as refusal:
                self.assertEqual(refusal.code, "InvalidSecurityToken.Expired")
                return
            time.sleep(0.2)
        self.fail("the key of the role never ended")
