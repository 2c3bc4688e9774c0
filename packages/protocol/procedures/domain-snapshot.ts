// Snapshots of domains.

import { array } from "@virtkit/xdr/composite";
import { int, uint } from "@virtkit/xdr/primitive";
import { FLAGS, ifFlags } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain, domainSnapshot } from "../types/object.ts";
import { text } from "../types/text.ts";

export const domainSnapshotProcedures = {
	DOMAIN_SNAPSHOT_CREATE_XML: call(
		185,
		{ dom: domain, xmlDesc: text, flags: uint },
		{ snap: domainSnapshot },
		{ acl: ["domain:snapshot", ifFlags("domain:fs_freeze", FLAGS.DOMAIN_SNAPSHOT_CREATE_QUIESCE)] },
	),
	DOMAIN_SNAPSHOT_GET_XML_DESC: call(
		186,
		{ snap: domainSnapshot, flags: uint },
		{ xml: text },
		{ acl: ["domain:read", ifFlags("domain:read_secure", FLAGS.DOMAIN_SNAPSHOT_XML_SECURE)], priority: "high" },
	),
	DOMAIN_SNAPSHOT_NUM: call(
		187,
		{ dom: domain, flags: uint },
		{ num: int },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_SNAPSHOT_LIST_NAMES: call(
		188,
		{ dom: domain, maxnames: int, flags: uint },
		{ names: array(text, LIMITS.DOMAIN_SNAPSHOT_LIST_MAX) },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_SNAPSHOT_LOOKUP_BY_NAME: call(
		189,
		{ dom: domain, name: text, flags: uint },
		{ snap: domainSnapshot },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_HAS_CURRENT_SNAPSHOT: call(190, { dom: domain, flags: uint }, { result: int }, { acl: ["domain:read"] }),
	DOMAIN_SNAPSHOT_CURRENT: call(191, { dom: domain, flags: uint }, { snap: domainSnapshot }, { acl: ["domain:read"] }),
	DOMAIN_REVERT_TO_SNAPSHOT: call(192, { snap: domainSnapshot, flags: uint }, none, { acl: ["domain:snapshot"] }),
	DOMAIN_SNAPSHOT_DELETE: call(193, { snap: domainSnapshot, flags: uint }, none, { acl: ["domain:snapshot"] }),
	DOMAIN_SNAPSHOT_GET_PARENT: call(
		244,
		{ snap: domainSnapshot, flags: uint },
		{ snap: domainSnapshot },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_SNAPSHOT_NUM_CHILDREN: call(
		246,
		{ snap: domainSnapshot, flags: uint },
		{ num: int },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES: call(
		247,
		{ snap: domainSnapshot, maxnames: int, flags: uint },
		{ names: array(text, LIMITS.DOMAIN_SNAPSHOT_LIST_MAX) },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_SNAPSHOT_IS_CURRENT: call(
		271,
		{ snap: domainSnapshot, flags: uint },
		{ current: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_SNAPSHOT_HAS_METADATA: call(
		272,
		{ snap: domainSnapshot, flags: uint },
		{ metadata: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_LIST_ALL_SNAPSHOTS: call(
		274,
		{ dom: domain, needResults: int, flags: uint },
		{ snapshots: array(domainSnapshot, LIMITS.DOMAIN_SNAPSHOT_LIST_MAX), ret: int },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN: call(
		275,
		{ snapshot: domainSnapshot, needResults: int, flags: uint },
		{ snapshots: array(domainSnapshot, LIMITS.DOMAIN_SNAPSHOT_LIST_MAX), ret: int },
		{ acl: ["domain:read"], priority: "high" },
	),
} as const;
