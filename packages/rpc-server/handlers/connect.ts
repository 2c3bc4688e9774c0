// The connection: opening it, and what it tells about the hypervisor and the host's abilities.

import { VirtError } from "@virtkit/base/errors";
import type { EmulatorRequest, HostOperations } from "@virtkit/core/host-operations";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { Handlers } from "../handler.ts";
import { after } from "./domain-call.ts";

/** The driver's host operation, bound, or the error that says it has none. */
export function hostOperation<N extends keyof HostOperations>(
	hypervisor: Hypervisor,
	name: N,
	api: string,
): HostOperations[N] {
	const operation = hypervisor.host[name];
	if (!operation) throw new VirtError("NO_SUPPORT", api);
	return operation;
}

/** What the daemon answers for libvirt's own version: 9.0.0, the release whose behaviour it keeps to. */
export const LIBVIRT_VERSION = 9_000_000n;

/** VIR_CONNECT_RO */
const OPEN_READ_ONLY = 1;

const given = (value: string | null): string | undefined => value ?? undefined;

/** Which emulator and guests a message means. */
function emulatorRequest(named: {
	readonly emulator: string | null;
	readonly arch: string | null;
	readonly machine: string | null;
	readonly virttype: string | null;
}): EmulatorRequest {
	const { emulator, arch, machine, virttype } = named;
	return {
		...(emulator === null ? {} : { emulator }),
		...(arch === null ? {} : { arch }),
		...(machine === null ? {} : { machine }),
		...(virttype === null ? {} : { virtType: virttype }),
	};
}

export function connectHandlers(hypervisor: Hypervisor): Handlers {
	const host = <N extends keyof HostOperations>(name: N, api: string): HostOperations[N] =>
		hostOperation(hypervisor, name, api);
	return {
		CONNECT_OPEN: ({ client }, { flags }) => {
			if (flags & OPEN_READ_ONLY) client.readOnly = true;
		},
		CONNECT_CLOSE: ({ client }) => client.leave(),
		CONNECT_SUPPORTS_FEATURE: (_, { feature }) => ({
			supported: hypervisor.host.supportsFeature?.(feature) ? 1 : 0,
		}),
		CONNECT_GET_TYPE: () => ({ type: host("type", "virConnectGetType")() }),
		CONNECT_GET_VERSION: () => after(host("version", "virConnectGetVersion")(), (hvVer) => ({ hvVer })),
		CONNECT_GET_LIB_VERSION: () => ({ libVer: LIBVIRT_VERSION }),
		CONNECT_GET_HOSTNAME: () => ({
			hostname: host("hostname", "virConnectGetHostname")(),
		}),
		CONNECT_GET_URI: () => ({ uri: host("uri", "virConnectGetURI")() }),
		CONNECT_GET_MAX_VCPUS: (_, { type }) =>
			after(host("maxVcpus", "virConnectGetMaxVcpus")(given(type)), (maxVcpus) => ({ maxVcpus })),
		CONNECT_IS_SECURE: ({ client }) => ({
			secure: client.identity.transport === "tcp" ? 0 : 1,
		}),
		CONNECT_GET_CAPABILITIES: () =>
			after(host("capabilities", "virConnectGetCapabilities")(), (capabilities) => ({ capabilities })),
		CONNECT_GET_DOMAIN_CAPABILITIES: (_, { emulatorbin, flags, ...guests }) => {
			const request = emulatorRequest({ emulator: emulatorbin, ...guests });
			return after(host("domainCapabilities", "virConnectGetDomainCapabilities")(request, flags), (capabilities) => ({
				capabilities,
			}));
		},
		CONNECT_GET_CPU_MODEL_NAMES: (_, { arch, needResults, flags }) =>
			after(host("cpuModels", "virConnectGetCPUModelNames")(arch, flags), (models) => ({
				models: needResults ? [...models] : [],
				ret: models.length,
			})),
		CONNECT_GET_SYSINFO: (_, { flags }) =>
			after(host("sysinfo", "virConnectGetSysinfo")(flags), (sysinfo) => ({
				sysinfo,
			})),
		CONNECT_COMPARE_CPU: (_, { xml, flags }) =>
			after(host("compareCpu", "virConnectCompareCPU")(xml, flags), (result) => ({ result })),
		CONNECT_BASELINE_CPU: (_, { xmlCPUs, flags }) =>
			after(host("baselineCpu", "virConnectBaselineCPU")(xmlCPUs, flags), (cpu) => ({ cpu })),
		CONNECT_COMPARE_HYPERVISOR_CPU: (_, { xmlCPU, flags, ...guests }) =>
			after(
				host("compareHypervisorCpu", "virConnectCompareHypervisorCPU")(emulatorRequest(guests), xmlCPU, flags),
				(result) => ({ result }),
			),
		CONNECT_BASELINE_HYPERVISOR_CPU: (_, { xmlCPUs, flags, ...guests }) =>
			after(
				host("baselineHypervisorCpu", "virConnectBaselineHypervisorCPU")(emulatorRequest(guests), xmlCPUs, flags),
				(cpu) => ({ cpu }),
			),
		CONNECT_REGISTER_CLOSE_CALLBACK: () => undefined,
		CONNECT_UNREGISTER_CLOSE_CALLBACK: () => undefined,
	};
}
