SELECT s.*, $input(s) AS came_with FROM all_states s
