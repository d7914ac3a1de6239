package metrics

import (
	"context"

	"github.com/traefik/traefik/v3/pkg/types"
)

// RegisterStatsd refuses: it is left out of this build of Traefik.
func RegisterStatsd(context.Context, *types.Statsd) Registry {
	panic("Statsd metrics are left out of this build of Traefik; use Prometheus")
}

// StopStatsd has nothing to stop.
func StopStatsd() {}
