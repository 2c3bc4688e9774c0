// Saving domains to files, restoring them, dumping their memory.

import { VirtError } from "@virtkit/base/errors";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { checkFlags } from "@virtkit/core/invoke";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import type { ClientContext, Handlers } from "../handler.ts";
import { coreContext, nothing, onDomain } from "./domain-call.ts";

/** VIR_DOMAIN_SAVE_*: BYPASS_CACHE 1, RUNNING 2, PAUSED 4, RESET_NVRAM 8 */
const RESTORE_FLAGS = 15;
/** Of these, what a saved image can have changed. */
const IMAGE_DEFINE_FLAGS = 6;
/** VIR_DOMAIN_SAVE_IMAGE_XML_SECURE */
const IMAGE_XML_FLAGS = 1;

/** Parameters of save and restore (VIR_DOMAIN_SAVE_PARAM_*). */
function saveParameters(
	params: readonly TypedParameter[],
	api: string,
): { path: string; xml?: string; format?: string } {
	const known: Readonly<Record<string, "path" | "xml" | "format">> = {
		file: "path",
		dxml: "xml",
		image_format: "format",
	};
	const found: { path?: string; xml?: string; format?: string } = {};
	for (const { field, value } of params) {
		const name = known[field];
		if (!name) throw new VirtError("INVALID_ARG", `parameter '${field}' not supported by ${api}`);
		if (value.type !== 7) throw new VirtError("INVALID_ARG", `parameter '${field}' of ${api} must be a string`);
		found[name] = value.value;
	}
	if (found.path === undefined) throw new VirtError("INVALID_ARG", `missing parameter 'file' of ${api}`);
	return { ...found, path: found.path };
}

export function domainSaveHandlers(hypervisor: Hypervisor): Handlers {
	return {
		...save(hypervisor),
		...restore(hypervisor),
		...managedSave(hypervisor),
		...dump(hypervisor),
	};
}

function save(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_SAVE: (context, { dom, to }) => on(context, dom, "save", 0, nothing, { path: to }),
		DOMAIN_SAVE_FLAGS: (context, { dom, to, dxml, flags }) =>
			on(context, dom, "save", flags, nothing, {
				path: to,
				...(dxml === null ? {} : { xml: dxml }),
			}),
		DOMAIN_SAVE_PARAMS: (context, { dom, params, flags }) =>
			on(context, dom, "save", flags, nothing, saveParameters(params, "virDomainSaveParams")),
	};
}

function restore(hypervisor: Hypervisor): Handlers {
	const run = async (context: ClientContext, request: { path: string; xml?: string }, flags: number): Promise<void> => {
		const core = coreContext(context);
		checkFlags("virDomainRestoreFlags", flags, RESTORE_FLAGS);
		await hypervisor.domains.restore(request, flags, core);
	};
	return {
		DOMAIN_RESTORE: (context, { from }) => run(context, { path: from }, 0),
		DOMAIN_RESTORE_FLAGS: (context, { from, dxml, flags }) =>
			run(context, { path: from, ...(dxml === null ? {} : { xml: dxml }) }, flags),
		DOMAIN_RESTORE_PARAMS: (context, { params, flags }) =>
			run(context, saveParameters(params, "virDomainRestoreParams"), flags),
		DOMAIN_SAVE_IMAGE_GET_XML_DESC: async (context, { file, flags }) => {
			const core = coreContext(context);
			checkFlags("virDomainSaveImageGetXMLDesc", flags, IMAGE_XML_FLAGS);
			return { xml: await hypervisor.domains.saveImageXml(file, flags, core) };
		},
		DOMAIN_SAVE_IMAGE_DEFINE_XML: async (context, { file, dxml, flags }) => {
			const core = coreContext(context);
			checkFlags("virDomainSaveImageDefineXML", flags, IMAGE_DEFINE_FLAGS);
			await hypervisor.domains.defineSaveImageXml(file, dxml, flags, core);
		},
	};
}

function managedSave(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_MANAGED_SAVE: (context, { dom, flags }) => on(context, dom, "managedSave", flags, nothing),
		DOMAIN_HAS_MANAGED_SAVE_IMAGE: (context, { dom, flags }) =>
			on(context, dom, "hasManagedSave", flags, (has) => ({
				result: has ? 1 : 0,
			})),
		DOMAIN_MANAGED_SAVE_REMOVE: (context, { dom, flags }) => on(context, dom, "removeManagedSave", flags, nothing),
		DOMAIN_MANAGED_SAVE_GET_XML_DESC: (context, { dom, flags }) =>
			on(context, dom, "managedSaveXml", flags, (xml) => ({ xml })),
		DOMAIN_MANAGED_SAVE_DEFINE_XML: (context, { dom, dxml, flags }) =>
			on(context, dom, "defineManagedSaveXml", flags, nothing, dxml ?? ""),
	};
}

function dump(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_CORE_DUMP: (context, { dom, to, flags }) =>
			on(context, dom, "coreDump", flags, nothing, { path: to, format: 0 }),
		DOMAIN_CORE_DUMP_WITH_FORMAT: (context, { dom, to, dumpformat, flags }) =>
			on(context, dom, "coreDump", flags, nothing, {
				path: to,
				format: dumpformat,
			}),
	};
}
