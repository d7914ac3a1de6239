package metrics

import (
	"context"

	"github.com/traefik/traefik/v3/pkg/types"
)

// RegisterInfluxDB2 refuses: it is left out of this build of Traefik.
func RegisterInfluxDB2(context.Context, *types.InfluxDB2) Registry {
	panic("InfluxDB2 metrics are left out of this build of Traefik; use Prometheus")
}

// StopInfluxDB2 has nothing to stop.
func StopInfluxDB2() {}
