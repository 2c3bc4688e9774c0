// What guests the emulators installed on this host can run.

import { ARCHES } from "./arch.ts";
import type { CapabilityCache } from "./cache.ts";
import { defaultEmulator } from "./emulators.ts";
import type { GuestArch } from "./host-capabilities.ts";

/**
 * Every architecture that has an emulator, in the order of ARCHES; probes those emulators that are not known yet.
 *
 * `onError` is told of emulators that cannot be probed: they are left out.
 */
export async function installedGuests(
	cache: CapabilityCache,
	host: string,
	onError: (binary: string, error: unknown) => void = () => undefined,
): Promise<GuestArch[]> {
	const guests = await Promise.all(
		ARCHES.map(async ({ name }): Promise<GuestArch | undefined> => {
			const binary = defaultEmulator(host, name);
			if (binary === undefined) return undefined;
			try {
				return { arch: name, emulator: await cache.get(binary) };
			} catch (error) {
				onError(binary, error);
				return undefined;
			}
		}),
	);
	return guests.filter((guest) => guest !== undefined);
}
