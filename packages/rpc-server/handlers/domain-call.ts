// What all domain handlers share: finding the domain, running an operation on it, and libvirt's ways of writing results.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext as CoreContext, DomainHandle, DomainOperationName } from "@virtkit/core/domain-operations";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { invoke, type OperationArguments, type OperationResults } from "@virtkit/core/invoke";
import type { TypedParam } from "@virtkit/core/typed-params";
import type { DomainRef } from "@virtkit/protocol/types/object";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import type { Client, ClientContext } from "../handler.ts";

/** The domain a message names, found by UUID as libvirt does. Throws NO_DOMAIN. */
export function findDomain(hypervisor: Hypervisor, dom: DomainRef): DomainHandle {
	const found = hypervisor.domains.byUuid(dom.uuid);
	if (!found) throw new VirtError("NO_DOMAIN", `no domain with matching uuid '${dom.uuid}' (${dom.name})`);
	return found;
}

/** The domain as messages name it. */
export function wireDomain(domain: DomainHandle): DomainRef {
	return { name: domain.name, uuid: domain.uuid, id: domain.id };
}

const CORE_CONTEXTS = new WeakMap<Client, { readOnly: boolean; context: CoreContext }>();

/** The call as the core knows it: made once a client, since every operation asks for it. */
export function coreContext({ client, readOnly }: ClientContext): CoreContext {
	const known = CORE_CONTEXTS.get(client);
	if (known?.readOnly === readOnly) return known.context;
	const { transport, uid, pid } = client.identity;
	const context: CoreContext = {
		signal: client.signal,
		readOnly,
		caller: `client ${client.id} (${transport}${uid === undefined ? "" : `, uid ${uid}`}${pid === undefined ? "" : `, pid ${pid}`})`,
		onClose: (end) => cancellable(client, end),
	};
	CORE_CONTEXTS.set(client, { readOnly, context });
	return context;
}

function cancellable(client: Client, end: () => void): Disposable {
	let cancelled = false;
	client.onClose(() => {
		if (!cancelled) end();
	});
	return {
		[Symbol.dispose]: () => {
			cancelled = true;
		},
	};
}

/** `use` on the value, now when it is there, later when it is promised. */
export function after<T, R>(value: T | Promise<T>, use: (value: T) => R): R | Promise<R> {
	return value instanceof Promise ? value.then(use) : use(value);
}

/** Runs operations on the domains that messages name, and makes their results replies. */
export type OnDomain = <N extends DomainOperationName, R>(
	context: ClientContext,
	dom: DomainRef,
	name: N,
	flags: number,
	reply: (result: OperationResults[N], domain: DomainHandle) => R,
	...own: OperationArguments[N]
) => R | Promise<R>;

export function onDomain(hypervisor: Hypervisor): OnDomain {
	return (context, dom, name, flags, reply, ...own) => {
		const domain = findDomain(hypervisor, dom);
		const result = invoke(hypervisor, name, domain, flags, coreContext(context), ...own);
		return after(result, (value) => reply(value, domain));
	};
}

/** For procedures that return nothing. */
export const nothing = (): void => undefined;

/**
 * Parameters for a caller with room for `room` of them: none but their number where it only asked for that (room 0).
 */
export function countedParameters(
	params: readonly TypedParam[],
	room: number,
): { params: TypedParameter[]; nparams: number } {
	return room === 0
		? { params: [], nparams: params.length }
		: {
				params: wireParameters(params.slice(0, room)),
				nparams: Math.min(room, params.length),
			};
}

/** Parameters as messages carry them: the same shape, not read-only. */
export function wireParameters(params: readonly TypedParam[]): TypedParameter[] {
	return params as TypedParameter[];
}
