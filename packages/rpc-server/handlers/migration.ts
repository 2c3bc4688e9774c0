// Live migration as the client leads it or lets the source lead it, by the third version of libvirt's protocol, with typed parameters or without.

import type { Duplex } from "node:stream";
import { VirtError } from "@virtkit/base/errors";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { checkFlags, checkWritable } from "@virtkit/core/invoke";
import { MIGRATE_FLAGS } from "@virtkit/core/operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { ClientContext, Handlers } from "../handler.ts";
import { coreContext, nothing, onDomain, wireDomain } from "./domain-call.ts";

export function migrationHandlers(hypervisor: Hypervisor): Handlers {
	return {
		...source(hypervisor),
		...plainSource(hypervisor),
		...destination(hypervisor),
		...limits(hypervisor),
	};
}

/** What the calls without typed parameters say, as parameters. */
function plainParams(said: {
	readonly dname?: string | null;
	readonly xml?: string | null;
	readonly uri?: string | null;
	readonly resource?: bigint;
}): TypedParam[] {
	const text = (field: string, value: string | null | undefined) => (value ? [param.string(field, value)] : []);
	return [
		...text("destination_name", said.dname),
		...text("destination_xml", said.xml),
		...text("migrate_uri", said.uri),
		...(said.resource ? [param.ullong("bandwidth", said.resource)] : []),
	];
}

function source(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_MIGRATE_BEGIN3_PARAMS: (context, { dom, params, flags }) =>
			on(context, dom, "migrateBegin", flags, ({ cookie, xml }) => ({ cookieOut: cookie, xml }), params),
		DOMAIN_MIGRATE_PERFORM3_PARAMS: (context, { dom, dconnuri, params, cookieIn, flags }) => {
			const request = { params, cookie: cookieIn, ...(dconnuri === null ? {} : { peer: dconnuri }) };
			return on(context, dom, "migratePerform", flags, ({ cookie }) => ({ cookieOut: cookie }), request);
		},
		DOMAIN_MIGRATE_CONFIRM3_PARAMS: (context, { dom, flags, cancelled }) =>
			on(context, dom, "migrateConfirm", flags, nothing, cancelled !== 0),
		DOMAIN_MIGRATE_START_POST_COPY: (context, { dom, flags }) =>
			on(context, dom, "migrateStartPostcopy", flags, nothing),
	};
}

function plainSource(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_MIGRATE_BEGIN3: (context, { dom, xmlin, flags, dname, resource }) =>
			on(
				context,
				dom,
				"migrateBegin",
				Number(flags),
				({ cookie, xml }) => ({ cookieOut: cookie, xml }),
				plainParams({ dname, xml: xmlin, resource }),
			),
		DOMAIN_MIGRATE_PERFORM3: (context, { dom, xmlin, cookieIn, dconnuri, uri, flags, dname, resource }) => {
			const params = plainParams({ dname, xml: xmlin, uri, resource });
			const request = { params, cookie: cookieIn, ...(dconnuri === null ? {} : { peer: dconnuri }) };
			return on(context, dom, "migratePerform", Number(flags), ({ cookie }) => ({ cookieOut: cookie }), request);
		},
		DOMAIN_MIGRATE_CONFIRM3: (context, { dom, flags, cancelled }) =>
			on(context, dom, "migrateConfirm", Number(flags), nothing, cancelled !== 0),
	};
}

interface Prepare {
	readonly params: readonly TypedParam[];
	readonly cookie: Uint8Array;
	readonly flags: number;
	readonly tunnel?: Duplex;
}

function destination({ domains }: Hypervisor): Handlers {
	const prepare = async (api: string, context: ClientContext, { flags, ...request }: Prepare) => {
		const core = coreContext(context);
		checkWritable(api, core);
		checkFlags(api, flags, MIGRATE_FLAGS);
		if (!domains.migratePrepare) throw new VirtError("NO_SUPPORT", api);
		const { cookie, uri } = await domains.migratePrepare(request, flags, core);
		return { cookieOut: cookie, uriOut: uri ?? null };
	};
	const finish = async (
		api: string,
		context: ClientContext,
		{ flags, cancelled, ...request }: Prepare & { readonly cancelled: number },
	) => {
		const core = coreContext(context);
		checkWritable(api, core);
		checkFlags(api, flags, MIGRATE_FLAGS);
		if (!domains.migrateFinish) throw new VirtError("NO_SUPPORT", api);
		const finished = await domains.migrateFinish({ ...request, cancelled: cancelled !== 0 }, flags, core);
		return { dom: wireDomain(finished.domain), cookieOut: finished.cookie };
	};
	return {
		DOMAIN_MIGRATE_PREPARE3_PARAMS: (context, { params, cookieIn, flags }) =>
			prepare("virDomainMigratePrepare3Params", context, { params, cookie: cookieIn, flags }),
		DOMAIN_MIGRATE_PREPARE3: (context, { cookieIn, uriIn, flags, dname, resource, domXml }) =>
			prepare("virDomainMigratePrepare3", context, {
				params: plainParams({ dname, xml: domXml, uri: uriIn, resource }),
				cookie: cookieIn,
				flags: Number(flags),
			}),
		DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS: async (context, { params, cookieIn, flags }) => {
			const request = { params, cookie: cookieIn, flags, tunnel: context.openStream() };
			const { cookieOut } = await prepare("virDomainMigratePrepareTunnel3Params", context, request);
			return { cookieOut };
		},
		DOMAIN_MIGRATE_PREPARE_TUNNEL3: async (context, { cookieIn, flags, dname, resource, domXml }) => {
			const { cookieOut } = await prepare("virDomainMigratePrepareTunnel3", context, {
				params: plainParams({ dname, xml: domXml, resource }),
				cookie: cookieIn,
				flags: Number(flags),
				tunnel: context.openStream(),
			});
			return { cookieOut };
		},
		DOMAIN_MIGRATE_FINISH3_PARAMS: (context, { params, cookieIn, flags, cancelled }) =>
			finish("virDomainMigrateFinish3Params", context, { params, cookie: cookieIn, flags, cancelled }),
		DOMAIN_MIGRATE_FINISH3: (context, { dname, cookieIn, flags, cancelled }) =>
			finish("virDomainMigrateFinish3", context, {
				params: plainParams({ dname }),
				cookie: cookieIn,
				flags: Number(flags),
				cancelled,
			}),
	};
}

function limits(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_MIGRATE_SET_MAX_DOWNTIME: (context, { dom, downtime, flags }) =>
			on(context, dom, "migrateSetMaxDowntime", flags, nothing, downtime),
		DOMAIN_MIGRATE_GET_MAX_DOWNTIME: (context, { dom, flags }) =>
			on(context, dom, "migrateMaxDowntime", flags, (downtime) => ({ downtime })),
		DOMAIN_MIGRATE_SET_MAX_SPEED: (context, { dom, bandwidth, flags }) =>
			on(context, dom, "migrateSetMaxSpeed", flags, nothing, bandwidth),
		DOMAIN_MIGRATE_GET_MAX_SPEED: (context, { dom, flags }) =>
			on(context, dom, "migrateMaxSpeed", flags, (bandwidth) => ({ bandwidth })),
		DOMAIN_MIGRATE_SET_COMPRESSION_CACHE: (context, { dom, cacheSize, flags }) =>
			on(context, dom, "migrateSetCompressionCache", flags, nothing, cacheSize),
		DOMAIN_MIGRATE_GET_COMPRESSION_CACHE: (context, { dom, flags }) =>
			on(context, dom, "migrateCompressionCache", flags, (cacheSize) => ({ cacheSize })),
	};
}
