// References to secrets: <secret type='…' uuid='…'/> or usage='…', as authentication and encryption name them.

import { str, uuid } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, type Schema } from "@virtkit/xml/schema";

const referenceFields = {
	uuid: attr(uuid, { doc: "UUID of the secret." }),
	usage: attr(str, { doc: "Usage name of the secret." }),
};

function checkReference(value: Loose): void {
	if (value.uuid === undefined && value.usage === undefined)
		throw documentError(positionOf(value), "missing secret uuid or usage attribute");
	if (value.uuid !== undefined && value.usage !== undefined)
		throw documentError(positionOf(value), "either secret uuid or usage expected, not both");
}

/** A secret of whatever type, named by UUID or usage. */
export const secretReference = element(
	{ type: attr(str, { doc: "What the secret is for: iscsi, ceph." }), ...referenceFields },
	{ onRead: checkReference },
);
export type SecretReference = Infer<typeof secretReference>;

/** The same for encryption, where a type must be named. */
export const typedSecretReference = <T extends string>(type: Parameters<typeof attr<T>>[0]) =>
	element(
		{
			type: attr(type, { required: true, code: "CONFIG_UNSUPPORTED", doc: "Kind of the secret." }),
			...referenceFields,
		},
		{ onRead: checkReference },
	);

const authFields = element(
	{
		type: attr(str, { show: (self) => self.type !== "none", doc: "Kind of authentication: chap or ceph." }),
		username: attr(str, { required: true, doc: "User name." }),
		secret: child(secretReference, { required: true, doc: "The password." }),
	},
	{
		onRead: (value) => {
			if (value.username === "") throw documentError(positionOf(value), "missing username for auth");
			if (value.type !== undefined && !["none", "chap", "ceph"].includes(value.type))
				throw documentError(positionOf(value), `unknown auth type '${value.type}'`, "CONFIG_UNSUPPORTED");
		},
	},
);
export type AuthDef = Infer<typeof authFields>;
/** Authentication towards a network storage server. */
export const auth: Schema<AuthDef> = authFields;
