// The id a device is known by: <alias name='…'/>, chosen by the user (ua-…) or made when the guest starts.

import { childNamed } from "@virtkit/xml/node";
import { type SpecialField, special } from "@virtkit/xml/schema";
import { formatAttribute } from "@virtkit/xml/write";

const USER_ALIAS = /^ua-[A-Za-z0-9_-]*$/;

/** True for an alias that the user chose: it starts with `ua-` and is part of the configuration. */
export function isUserAlias(alias: string | undefined): boolean {
	return alias?.startsWith("ua-") === true;
}

/** The device's id. One that is not the user's own is only read and written of running guests. */
export const alias: SpecialField<string, false> = special<string>({
	doc: "Id of the device; names that start with ua- are the user's own and are kept.",
	show: (self, options) => options.inactive !== true || isUserAlias(String(self.alias)),
	read: (element, context) => {
		const name = childNamed(element, "alias")?.attributes.name;
		return name !== undefined && (context.live || USER_ALIAS.test(name)) ? name : undefined;
	},
	write: (name, indent) => `${" ".repeat(indent)}<alias${formatAttribute("name", name)}/>\n`,
	json: { type: "string" },
	takes: { children: ["alias"] },
});
