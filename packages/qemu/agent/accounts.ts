// Who may log in to the guest, through its agent: passwords and SSH keys.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import { withAgent } from "./agent.ts";
import { AgentObject } from "./answer.ts";

/** VIR_DOMAIN_PASSWORD_ENCRYPTED. */
const ENCRYPTED = 1;
/** virDomainAuthorizedSSHKeysSetFlags. */
const KEYS = { append: 1, remove: 2 } as const;

async function setUserPassword(
	domain: QemuDomain,
	{ user, password }: { readonly user: string; readonly password: string },
	flags: number,
	signal: AbortSignal,
): Promise<void> {
	const args = {
		crypted: (flags & ENCRYPTED) !== 0,
		username: user,
		password: Buffer.from(password).toString("base64"),
	};
	await withAgent(domain, (agent) => agent.execute("guest-set-user-password", args, { signal }));
}

async function sshKeys(domain: QemuDomain, user: string, signal: AbortSignal): Promise<string[]> {
	const command = "guest-ssh-get-authorized-keys";
	return await withAgent(domain, async (agent) => {
		const answer = await agent.executeUntyped(command, { username: user }, { signal });
		return new AgentObject(command, answer).texts("keys");
	});
}

async function setSshKeys(
	domain: QemuDomain,
	{ user, keys }: { readonly user: string; readonly keys: readonly string[] },
	flags: number,
	signal: AbortSignal,
): Promise<void> {
	if (flags !== 0 && keys.length === 0)
		throw new VirtError("INVALID_ARG", "keys in virDomainAuthorizedSSHKeysSet must not be NULL");
	if (flags === (KEYS.append | KEYS.remove))
		throw new VirtError(
			"INVALID_ARG",
			"Flags 'VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND' and 'VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE' are mutually exclusive in virDomainAuthorizedSSHKeysSet",
		);
	await withAgent(domain, (agent) =>
		flags & KEYS.remove
			? agent.execute("guest-ssh-remove-authorized-keys", { username: user, keys }, { signal })
			: agent.execute(
					"guest-ssh-add-authorized-keys",
					{ username: user, keys, reset: (flags & KEYS.append) === 0 },
					{ signal },
				),
	);
}

export const accountOperations: Pick<DomainOperations<QemuDomain>, "setUserPassword" | "sshKeys" | "setSshKeys"> = {
	setUserPassword: (domain, account, flags, { signal }) => setUserPassword(domain, account, flags, signal),
	sshKeys: (domain, user, _flags, { signal }) => sshKeys(domain, user, signal),
	setSshKeys: (domain, request, flags, { signal }) => setSshKeys(domain, request, flags, signal),
};
