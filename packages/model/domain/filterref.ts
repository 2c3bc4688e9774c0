// References to network filters, with the values of the filter's variables.

import { str } from "@virtkit/xml/codec";
import { attr, element, type Infer, list } from "@virtkit/xml/schema";

const NAME = /^[A-Za-z0-9_]+$/;
const VALUE = /^[A-Za-z0-9_.:]+$/;

const parameter = element({
	name: attr(str, { doc: "Name of the variable." }),
	value: attr(str, { doc: "One of its values." }),
});

/** The <filterref> element; variables are kept in order of their names, those that are malformed are dropped. */
export const filterref = element(
	{
		filter: attr(str, { doc: "Name of the filter." }),
		parameter: list(parameter, { doc: "A variable of the filter; several of one name make a list." }),
	},
	{
		onRead(value) {
			const valid = value.parameter.filter(({ name = "", value: of = "" }) => NAME.test(name) && VALUE.test(of));
			value.parameter = valid.sort(({ name: a = "" }, { name: b = "" }) => (a < b ? -1 : a > b ? 1 : 0));
		},
	},
);
export type FilterRefDef = Infer<typeof filterref>;
