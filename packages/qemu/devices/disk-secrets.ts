// Secrets of disks: passwords of storage servers, passphrases of encrypted images, cookies; given to QEMU sealed.

import { createCipheriv, randomBytes } from "node:crypto";
import { VirtError } from "@virtkit/base/errors";
import { isEmptySource } from "@virtkit/model/domain/disk";
import type { SecretReference } from "@virtkit/model/domain/secret-reference";
import type { JsonObject } from "../command-line/command-line.ts";
import type { SecretUsage } from "../driver-host.ts";
import { type DiskImage, formatOwner, storageOwner } from "./disk-image.ts";
import type { BuildContext, DefineContext } from "./entry.ts";

/** What secrets are needed for, and the guest's master key. */
export type SecretContext = DefineContext & Pick<BuildContext, "masterKey">;

export const authSecret = (image: DiskImage): string => `${storageOwner(image)}-auth-secret0`;
export const cookieSecret = (image: DiskImage): string => `${storageOwner(image)}-httpcookie-secret0`;
export const encryptionSecret = (image: DiskImage): string => `${formatOwner(image)}-encryption-secret0`;

/** Id of the object that holds the guest's master key. */
const MASTER_KEY = "masterKey0";
const KEY_BYTES = 32;
const IV_BYTES = 16;

/** `-object secret` for a value that the guest's master key protects (AES-256-CBC); a throw-away key where nothing starts. */
export function sealedSecret(id: string, value: Uint8Array, { masterKey }: SecretContext): JsonObject {
	const iv = randomBytes(IV_BYTES);
	const cipher = createCipheriv("aes-256-cbc", masterKey ?? randomBytes(KEY_BYTES), iv);
	const data = Buffer.concat([cipher.update(value), cipher.final()]).toString("base64");
	return { "qom-type": "secret", id, data, keyid: MASTER_KEY, iv: iv.toString("base64"), format: "base64" };
}

/** The value of a secret. Throws NO_SECRET where there is none. */
export function lookupSecret(reference: SecretReference, usage: SecretUsage, { host }: DefineContext): Uint8Array {
	const value = host.secretValue?.(reference, usage);
	if (value) return value;
	const name = reference.uuid === undefined ? `usage '${reference.usage}'` : `uuid '${reference.uuid}'`;
	throw new VirtError("NO_SECRET", `no secret with matching ${name}`);
}

/** Throws NO_SECRET where the value of a secret that the image needs is nowhere. */
export function checkImageSecrets(image: DiskImage, context: DefineContext): void {
	const { auth, encryption, source } = image;
	if (isEmptySource(source)) return;
	if (auth) lookupSecret(auth.secret, source.protocol === "rbd" ? "ceph" : "iscsi", context);
	const passphrase = encryption?.secret[0];
	if (passphrase) lookupSecret(passphrase, "volume", context);
}

/** Objects that the image's layers refer to, in libvirt's order: password, passphrase, cookies. */
export function imageSecrets(image: DiskImage, context: SecretContext): JsonObject[] {
	const { auth, encryption, source } = image;
	const objects: JsonObject[] = [];
	if (isEmptySource(source)) return objects;
	if (auth) objects.push(sealedSecret(authSecret(image), password(image, auth.secret, context), context));
	const passphrase = encryption?.secret[0];
	if (passphrase)
		objects.push(sealedSecret(encryptionSecret(image), lookupSecret(passphrase, "volume", context), context));
	if (source.cookies?.cookie.length)
		objects.push(sealedSecret(cookieSecret(image), Buffer.from(formatCookies(image)), context));
	return objects;
}

/** The password of the image's server; Ceph wants its keys in base64. */
function password({ source }: DiskImage, reference: SecretReference, context: SecretContext): Uint8Array {
	const isCeph = source.protocol === "rbd";
	const value = lookupSecret(reference, isCeph ? "ceph" : "iscsi", context);
	return isCeph ? Buffer.from(Buffer.from(value).toString("base64")) : value;
}

/** `name=value; name=value`. */
export function formatCookies({ source }: DiskImage): string {
	return (source.cookies?.cookie ?? []).map(({ name, value }) => `${name}=${value}`).join("; ");
}
