"""What machines call: callbacks of payment gateways, health, metrics. A face without pages."""
