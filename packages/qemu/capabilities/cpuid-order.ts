// x86 CPU features in the order of CPUID's leaves and registers, by QEMU's names (Intel SDM volume 2A, AMD APM volume 3).

/** Features as their registers follow each other, lowest bit first. */
export const CPUID_ORDER: readonly string[] = [
	// CPUID 1, EDX
	..."fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 pn clflush ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe".split(
		" ",
	),
	// CPUID 1, ECX
	..."pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid fma cx16 xtpr pdcm pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave osxsave avx f16c rdrand hypervisor".split(
		" ",
	),
	// CPUID 6, EAX
	..."arat".split(" "),
	// CPUID 7, EBX
	..."fsgsbase tsc-adjust sgx bmi1 hle avx2 smep bmi2 erms invpcid rtm cmt mpx avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er avx512cd sha-ni avx512bw avx512vl".split(
		" ",
	),
	// CPUID 7, ECX
	..."avx512vbmi umip pku ospke waitpkg avx512vbmi2 gfni vaes vpclmulqdq avx512vnni avx512bitalg avx512-vpopcntdq la57 rdpid bus-lock-detect cldemote movdiri movdir64b sgxlc pks".split(
		" ",
	),
	// CPUID 7, EDX
	..."avx512-4vnniw avx512-4fmaps fsrm avx512-vp2intersect md-clear serialize tsx-ldtrk arch-lbr amx-bf16 avx512-fp16 amx-tile amx-int8 spec-ctrl stibp arch-capabilities core-capability ssbd".split(
		" ",
	),
	// CPUID 7.1, EAX
	..."avx-vnni avx512-bf16".split(" "),
	// CPUID D.1, EAX
	..."xsaveopt xsavec xgetbv1 xsaves xfd".split(" "),
	// CPUID 8000_0001, EDX
	..."syscall nx mmxext fxsr-opt pdpe1gb rdtscp lm 3dnowext 3dnow".split(" "),
	// CPUID 8000_0001, ECX
	..."lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt lwp fma4 tce nodeid-msr tbm topoext perfctr-core perfctr-nb".split(
		" ",
	),
	// CPUID 8000_0007, EDX
	..."invtsc".split(" "),
	// CPUID 8000_0008, EBX
	..."clzero xsaveerptr wbnoinvd ibpb ibrs amd-stibp amd-ssbd virt-ssbd amd-no-ssb".split(" "),
	// CPUID 8000_000A, EDX
	..."npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists pause-filter pfthreshold avic v-vmsave-vmload vgif svme-addr-chk".split(
		" ",
	),
	// MSRs
	..."rdctl-no ibrs-all rsba skip-l1dfl-vmentry ssb-no mds-no pschange-mc-no tsx-ctrl taa-no split-lock-detect".split(
		" ",
	),
];
