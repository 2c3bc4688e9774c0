# Migration from the daemon of argv[1] to that of argv[2], by the calls that clients make.
there = libvirt.open(sys.argv[2])
there.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda c, d, e, t, o: heard_there.append([d.name(), e, t]), None)
heard_there = []
ADDRESS = "tcp://127.0.0.1"
LIVE = libvirt.VIR_MIGRATE_LIVE
P2P = libvirt.VIR_MIGRATE_PEER2PEER


def fresh(name):
    """A running guest here, defined too."""
    domain = conn.defineXML(xml(name))
    domain.create()
    return domain


def whereabouts(name):
    """State and reason of the domain here and there; None where it is not known."""
    found = []
    for host in (conn, there):
        try:
            domain = host.lookupByName(name)
            found.append([domain.state(), domain.isPersistent()])
        except libvirt.libvirtError:
            found.append(None)
    outcomes.append(["where " + name, found])


def forget(name):
    for host in (conn, there):
        try:
            domain = host.lookupByName(name)
            if domain.isActive():
                domain.destroy()
            domain.undefine()
        except libvirt.libvirtError:
            pass


def go(title, name, flags, prepare=None, **params):
    """Moves a new guest, led by us."""
    domain = fresh(name)
    if prepare:
        prepare(domain)
    params = {"migrate_uri": ADDRESS, **{key.replace("__", "."): value for key, value in params.items()}}
    attempt(title, lambda: domain.migrate3(there, params, flags))
    whereabouts(name)
    if "destination_name" in params:
        whereabouts(params["destination_name"])
        forget(params["destination_name"])
    forget(name)


go("live", "m1", LIVE)
go("stored over there, forgotten here", "m2", LIVE | libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE)
go("renamed", "m3", LIVE, destination_name="m3there")
go("to be paused", "m4", LIVE | libvirt.VIR_MIGRATE_PAUSED)
go("paused", "m5", 0, prepare=lambda domain: domain.suspend())
go("change protection", "m6", LIVE | libvirt.VIR_MIGRATE_CHANGE_PROTECTION)
go("several connections", "m7", LIVE | libvirt.VIR_MIGRATE_PARALLEL, parallel__connections=2)
go("compressed", "m8", LIVE | libvirt.VIR_MIGRATE_COMPRESSED)
go("auto-converge", "m9", LIVE | libvirt.VIR_MIGRATE_AUTO_CONVERGE, auto_converge__initial=30)

# What is refused: one guest stands it all.
domain = fresh("r")


def refused(title, flags, **params):
    params = {"migrate_uri": ADDRESS, **{key.replace("__", "."): value for key, value in params.items()}}
    attempt(title, lambda: domain.migrate3(there, params, flags))


refused("channels of no parallel one", LIVE, parallel__connections=2)
refused("level of no compression", LIVE, compression__mt__level=3)
refused("unknown compression", LIVE, compression="none")
refused("zero-copy alone", LIVE | libvirt.VIR_MIGRATE_ZEROCOPY)
refused("unknown parameter", LIVE, colour="green")
refused("unknown scheme", LIVE, migrate_uri="ftp://127.0.0.1")
refused("tunnelled by us", LIVE | libvirt.VIR_MIGRATE_TUNNELLED)
refused("offline without storing", libvirt.VIR_MIGRATE_OFFLINE)
refused("another machine", LIVE, destination_xml=xml("r").replace("<vcpu>1<", "<vcpu>2<"))
refused("no XML", LIVE, destination_xml="<domain")
refused("two ways to copy disks", LIVE | libvirt.VIR_MIGRATE_NON_SHARED_DISK | libvirt.VIR_MIGRATE_NON_SHARED_INC)
# The source finds out only when the destination waits already.
refused("throttle of none that converges", LIVE, auto_converge__initial=30)
whereabouts("r")
forget("r")

# A name that is taken over there.
taken = there.createXML(xml("taken"), 0)
go("taken", "taken", LIVE)
attempt("destroy taken", lambda: taken.destroy() if taken.isActive() else 0)

# Led by the source.
for title, flags in (("peer", P2P), ("peer, tunnelled", P2P | libvirt.VIR_MIGRATE_TUNNELLED)):
    domain = fresh("p1")
    params = {} if flags & libvirt.VIR_MIGRATE_TUNNELLED else {"migrate_uri": ADDRESS}
    attempt(title, lambda: domain.migrateToURI3(sys.argv[2], params, LIVE | flags))
    whereabouts("p1")
    forget("p1")
domain = fresh("p2")
attempt("peer nobody knows", lambda: domain.migrateToURI3("qemu+unix:///system?socket=/nothing/here", {}, LIVE | P2P))
attempt("tunnelled with an address", lambda: domain.migrateToURI3(sys.argv[2], {"migrate_uri": ADDRESS}, LIVE | P2P | libvirt.VIR_MIGRATE_TUNNELLED))
attempt("direct", lambda: domain.migrateToURI3("tcp://127.0.0.1", {}, LIVE))
attempt("getMaxSpeed", lambda: domain.migrateGetMaxSpeed())
attempt("setMaxSpeed", lambda: domain.migrateSetMaxSpeed(100))
attempt("getMaxSpeed again", lambda: domain.migrateGetMaxSpeed())
attempt("setMaxSpeed too much", lambda: domain.migrateSetMaxSpeed(2**60))
attempt("getMaxSpeed of post-copy", lambda: domain.migrateGetMaxSpeed(libvirt.VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY))
attempt("getMaxDowntime", lambda: domain.migrateGetMaxDowntime())
attempt("setMaxDowntime", lambda: domain.migrateSetMaxDowntime(123))
attempt("getMaxDowntime again", lambda: domain.migrateGetMaxDowntime())
attempt("getCompressionCache", lambda: domain.migrateGetCompressionCache())
attempt("setCompressionCache", lambda: domain.migrateSetCompressionCache(1 << 20))
attempt("setCompressionCache odd", lambda: domain.migrateSetCompressionCache(12345))
domain.destroy()
attempt("migrate shut off", lambda: domain.migrate3(there, {"migrate_uri": ADDRESS}, LIVE))
attempt("setMaxDowntime shut off", lambda: domain.migrateSetMaxDowntime(123))
attempt("getMaxDowntime shut off", lambda: domain.migrateGetMaxDowntime())
attempt("setMaxSpeed shut off", lambda: domain.migrateSetMaxSpeed(50))
attempt("getMaxSpeed shut off", lambda: domain.migrateGetMaxSpeed())
OFFLINE = libvirt.VIR_MIGRATE_OFFLINE | libvirt.VIR_MIGRATE_PERSIST_DEST
attempt("offline", lambda: domain.migrate3(there, {}, OFFLINE))
whereabouts("p2")
forget("p2")

pump(0.5)
# A QEMU that is destroyed may still say that it shuts down, or be gone before.
said = lambda events: [event for event in events if event[1] != libvirt.VIR_DOMAIN_EVENT_SHUTDOWN]
print(json.dumps({"outcomes": outcomes, "events": {"here": said(heard), "there": said(heard_there)}}))
