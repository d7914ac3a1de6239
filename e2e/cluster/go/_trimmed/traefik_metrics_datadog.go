package metrics

import (
	"context"

	"github.com/traefik/traefik/v3/pkg/types"
)

// RegisterDatadog refuses: it is left out of this build of Traefik.
func RegisterDatadog(context.Context, *types.Datadog) Registry {
	panic("Datadog metrics are left out of this build of Traefik; use Prometheus")
}

// StopDatadog has nothing to stop.
func StopDatadog() {}
