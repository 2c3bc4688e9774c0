// Live migration as the client leads it or lets the source lead it, by the third version of libvirt's protocol with typed parameters.

import { VirtError } from "@virtkit/base/errors";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { checkFlags, checkWritable } from "@virtkit/core/invoke";
import { MIGRATE_FLAGS } from "@virtkit/core/operations";
import type { Handlers } from "../handler.ts";
import { coreContext, nothing, onDomain, wireDomain } from "./domain-call.ts";

export function migrationHandlers(hypervisor: Hypervisor): Handlers {
	return { ...source(hypervisor), ...destination(hypervisor), ...limits(hypervisor) };
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
	};
}

function destination({ domains }: Hypervisor): Handlers {
	const [prepareApi, finishApi] = ["virDomainMigratePrepare3Params", "virDomainMigrateFinish3Params"] as const;
	return {
		DOMAIN_MIGRATE_PREPARE3_PARAMS: async (context, { params, cookieIn, flags }) => {
			const core = coreContext(context);
			checkWritable(prepareApi, core);
			checkFlags(prepareApi, flags, MIGRATE_FLAGS);
			if (!domains.migratePrepare) throw new VirtError("NO_SUPPORT", prepareApi);
			const { cookie, uri } = await domains.migratePrepare({ params, cookie: cookieIn }, flags, core);
			return { cookieOut: cookie, uriOut: uri ?? null };
		},
		DOMAIN_MIGRATE_FINISH3_PARAMS: async (context, { params, cookieIn, flags, cancelled }) => {
			const core = coreContext(context);
			checkWritable(finishApi, core);
			checkFlags(finishApi, flags, MIGRATE_FLAGS);
			if (!domains.migrateFinish) throw new VirtError("NO_SUPPORT", finishApi);
			const request = { params, cookie: cookieIn, cancelled: cancelled !== 0 };
			const { domain, cookie } = await domains.migrateFinish(request, flags, core);
			return { dom: wireDomain(domain), cookieOut: cookie };
		},
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
