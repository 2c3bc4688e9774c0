// Checkpoints: the points that incremental backups start from.

import { array } from "@virtkit/xdr/composite";
import { int, uint } from "@virtkit/xdr/primitive";
import { FLAGS, ifFlags } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain, domainCheckpoint } from "../types/object.ts";
import { text } from "../types/text.ts";

export const domainCheckpointProcedures = {
	DOMAIN_CHECKPOINT_CREATE_XML: call(
		411,
		{ dom: domain, xmlDesc: text, flags: uint },
		{ checkpoint: domainCheckpoint },
		{ acl: ["domain:checkpoint", ifFlags("domain:fs_freeze", FLAGS.DOMAIN_CHECKPOINT_CREATE_QUIESCE)] },
	),
	DOMAIN_CHECKPOINT_GET_XML_DESC: call(
		412,
		{ checkpoint: domainCheckpoint, flags: uint },
		{ xml: text },
		{ acl: ["domain:read", ifFlags("domain:read_secure", FLAGS.DOMAIN_CHECKPOINT_XML_SECURE)] },
	),
	DOMAIN_LIST_ALL_CHECKPOINTS: call(
		413,
		{ dom: domain, needResults: int, flags: uint },
		{ checkpoints: array(domainCheckpoint, LIMITS.DOMAIN_CHECKPOINT_LIST_MAX), ret: int },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN: call(
		414,
		{ checkpoint: domainCheckpoint, needResults: int, flags: uint },
		{ checkpoints: array(domainCheckpoint, LIMITS.DOMAIN_CHECKPOINT_LIST_MAX), ret: int },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_CHECKPOINT_LOOKUP_BY_NAME: call(
		415,
		{ dom: domain, name: text, flags: uint },
		{ checkpoint: domainCheckpoint },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_CHECKPOINT_GET_PARENT: call(
		416,
		{ checkpoint: domainCheckpoint, flags: uint },
		{ parent: domainCheckpoint },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_CHECKPOINT_DELETE: call(417, { checkpoint: domainCheckpoint, flags: uint }, none, {
		acl: ["domain:checkpoint"],
	}),
} as const;
