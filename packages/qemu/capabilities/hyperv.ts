// The Hyper-V enlightenments that documents have names for.

/** In libvirt's order. `spinlocks` and `vendor_id` carry values, the others are switches. */
export const HYPERV_ENLIGHTENMENTS = [
	"relaxed",
	"vapic",
	"spinlocks",
	"vpindex",
	"runtime",
	"synic",
	"stimer",
	"reset",
	"vendor_id",
	"frequencies",
	"reenlightenment",
	"tlbflush",
	"ipi",
	"evmcs",
	"avic",
	"emsr_bitmap",
	"xmm_input",
	"vsm",
] as const;
