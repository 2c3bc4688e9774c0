# What every scenario has: `attempt` records what a call answered or which error it gave, `events` what was told.
outcomes = []
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(sys.argv[1])
heard = []


def attempt(name, call):
    """Records the call's plain result, or the error's code; answers the result."""
    try:
        result = call()
    except libvirt.libvirtError as error:
        outcomes.append([name, "error", error.get_error_code()])
        return None
    plain = result if isinstance(result, (int, str, bool, list, dict, tuple, type(None))) else type(result).__name__
    outcomes.append([name, plain])
    return result


def on_lifecycle(conn, domain, event, detail, opaque):
    heard.append([domain.name(), event, detail])


def pump(seconds=0.3):
    """Lets events come in for a while."""
    end = time.monotonic() + seconds
    timer = libvirt.virEventAddTimeout(50, lambda *_: None, None)
    while time.monotonic() < end:
        libvirt.virEventRunDefaultImpl()
    libvirt.virEventRemoveTimeout(timer)


def settle(domain, state, seconds=20):
    """Waits until the domain is in the state."""
    end = time.monotonic() + seconds
    while domain.state()[0] != state and time.monotonic() < end:
        pump(0.1)


def xml(name, extra="", type="qemu", memory=64):
    return f"""<domain type='{type}'><name>{name}</name><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
<devices><serial type='null'/>{extra}</devices></domain>"""


conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_lifecycle, None)
