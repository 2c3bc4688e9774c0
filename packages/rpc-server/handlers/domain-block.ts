// Block jobs and sizes of a running guest's disks.

import { VirtError } from "@virtkit/base/errors";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import type { Handlers } from "../handler.ts";
import { nothing, onDomain } from "./domain-call.ts";

const NO_JOB = { found: 0, type: 0, bandwidth: 0n, cur: 0n, end: 0n };

/** Members of a copy's request by libvirt's names of its parameters. */
const COPY_PARAMETERS = {
	bandwidth: "bandwidth",
	granularity: "granularity",
	"buf-size": "bufferSize",
} as const;

type CopyMember = (typeof COPY_PARAMETERS)[keyof typeof COPY_PARAMETERS];

function copyParameters(params: readonly TypedParameter[]): Partial<Record<CopyMember, number>> {
	const given: Partial<Record<CopyMember, number>> = {};
	for (const { field, value } of params) {
		const member = (COPY_PARAMETERS as Readonly<Record<string, CopyMember>>)[field];
		if (member === undefined) throw new VirtError("INVALID_ARG", `parameter '${field}' not supported`);
		given[member] = Number(value.value);
	}
	return given;
}

export function domainBlockHandlers(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_BLOCK_JOB_ABORT: (context, { dom, path, flags }) => on(context, dom, "blockJobAbort", flags, nothing, path),
		DOMAIN_GET_BLOCK_JOB_INFO: (context, { dom, path, flags }) =>
			on(context, dom, "blockJobInfo", flags, (job) => (job ? { found: 1, ...job } : NO_JOB), path),
		DOMAIN_BLOCK_JOB_SET_SPEED: (context, { dom, path, bandwidth, flags }) =>
			on(context, dom, "blockJobSetSpeed", flags, nothing, path, bandwidth),
		DOMAIN_BLOCK_PULL: (context, { dom, path, bandwidth, flags }) =>
			on(context, dom, "blockPull", flags, nothing, path, bandwidth),
		DOMAIN_BLOCK_REBASE: (context, { dom, path, base, bandwidth, flags }) =>
			on(context, dom, "blockRebase", flags, nothing, { path, base: base ?? undefined, bandwidth }),
		DOMAIN_BLOCK_COMMIT: (context, { dom, disk, base, top, bandwidth, flags }) =>
			on(context, dom, "blockCommit", flags, nothing, {
				path: disk,
				base: base ?? undefined,
				top: top ?? undefined,
				bandwidth,
			}),
		DOMAIN_SET_BLOCK_IO_TUNE: (context, { dom, disk, params, flags }) =>
			on(context, dom, "setBlockIoTune", flags, nothing, disk, params),
		DOMAIN_BLOCK_COPY: (context, { dom, path, destxml, params, flags }) =>
			on(context, dom, "blockCopy", flags, nothing, { path, xml: destxml, bandwidth: 0, ...copyParameters(params) }),
		DOMAIN_BLOCK_RESIZE: (context, { dom, disk, size, flags }) =>
			on(context, dom, "blockResize", flags, nothing, disk, size),
		DOMAIN_BACKUP_BEGIN: (context, { dom, backupXml, checkpointXml, flags }) =>
			on(context, dom, "beginBackup", flags, nothing, { xml: backupXml, checkpointXml: checkpointXml ?? undefined }),
		DOMAIN_BACKUP_GET_XML_DESC: (context, { dom, flags }) => on(context, dom, "backupXml", flags, (xml) => ({ xml })),
		DOMAIN_SET_BLOCK_THRESHOLD: (context, { dom, dev, threshold, flags }) =>
			on(context, dom, "setBlockThreshold", flags, nothing, dev, threshold),
	};
}
