"""Where events go: claims of worker groups, their queues, tasks that nobody has claimed."""
